################################################################################
#
# ax650-kmod
#
################################################################################
# SPDX-License-Identifier: MIT OR Apache-2.0

AX650_KMOD_VERSION = $(AX650_VERSION)
AX650_KMOD_SITE = $(AX650_TREE)/dist
AX650_KMOD_SITE_METHOD = file
AX650_KMOD_SOURCE = ax650-$(AX650_KMOD_VERSION).tar.xz
AX650_KMOD_LICENSE = GPL-2.0
AX650_KMOD_LICENSE_FILES = LICENSES/GPL-2.0.txt
AX650_KMOD_DEPENDENCIES = host-rustc host-rust-bindgen
AX650_KMOD_MODULE_SUBDIRS = kmod

define AX650_KMOD_LINUX_CONFIG_FIXUPS
	$(call KCONFIG_ENABLE_OPT,CONFIG_PCI)
	$(call KCONFIG_ENABLE_OPT,CONFIG_PCI_MSI)
	$(call KCONFIG_ENABLE_OPT,CONFIG_EVENTFD)
	$(call KCONFIG_ENABLE_OPT,CONFIG_FW_LOADER)
	$(call KCONFIG_ENABLE_OPT,CONFIG_RUST)
	$(call KCONFIG_DISABLE_OPT,CONFIG_RANDSTRUCT)
endef

ifeq ($(BR2_PACKAGE_AX650_KMOD),y)
# The kernel's configuration has CONFIG_RUST only where these are found.
$(LINUX_DIR)/.stamp_dotconfig $(LINUX_DIR)/.stamp_configured: | host-rustc host-rust-bindgen
endif

$(eval $(kernel-module))
$(eval $(generic-package))
