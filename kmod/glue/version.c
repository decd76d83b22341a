// SPDX-License-Identifier: GPL-2.0
/*
 * The module's version, which the kernel's Rust macro has no key for.  dkms/version.sh keeps it
 * equal to that of the packages.
 */
#include <linux/module.h>

MODULE_VERSION("0.1.0");
