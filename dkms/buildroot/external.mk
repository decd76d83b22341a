# SPDX-License-Identifier: MIT OR Apache-2.0
#
# Both packages take the archive that `make dist` has made of the tree that this directory is in.
AX650_TREE = $(realpath $(BR2_EXTERNAL_AX650_PATH)/../..)
AX650_VERSION = $(shell $(AX650_TREE)/dkms/version.sh)

include $(sort $(wildcard $(BR2_EXTERNAL_AX650_PATH)/package/*/*.mk))
