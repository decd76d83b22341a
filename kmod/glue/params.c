// SPDX-License-Identifier: GPL-2.0
/*
 * Module parameters.  Those of the kernel's Rust macro cannot be read in sysfs.
 */
#include <linux/moduleparam.h>

#include "shim.h"

static bool axcl_abi = true;
module_param(axcl_abi, bool, 0444);
MODULE_PARM_DESC(axcl_abi, "Device nodes for programs that use Axera's AXCL libraries (default: Y)");

bool ax650_axcl_abi(void)
{
	return axcl_abi;
}
