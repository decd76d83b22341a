################################################################################
#
# ax650-utils
#
################################################################################
# SPDX-License-Identifier: MIT OR Apache-2.0

AX650_UTILS_VERSION = $(AX650_VERSION)
AX650_UTILS_SITE = $(AX650_TREE)/dist
AX650_UTILS_SITE_METHOD = file
AX650_UTILS_SOURCE = ax650-$(AX650_UTILS_VERSION).tar.xz
AX650_UTILS_LICENSE = MIT or Apache-2.0
AX650_UTILS_LICENSE_FILES = LICENSE.md LICENSES/MIT.txt LICENSES/Apache-2.0.txt
AX650_UTILS_CARGO_BUILD_OPTS = --package ax650 --package ax650-firmware --bins

# `cargo install` takes one package.
define AX650_UTILS_INSTALL_TARGET_CMDS
	DESTDIR=$(TARGET_DIR) $(@D)/dkms/install-utils.sh \
		$(@D)/target/$(RUSTC_TARGET_NAME)/release
endef

$(eval $(cargo-package))
