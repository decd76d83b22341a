// SPDX-License-Identifier: GPL-2.0
/*
 * Module parameters.  Those of the kernel's Rust macro cannot be read in sysfs.
 */
#include <linux/moduleparam.h>

#include "shim.h"

static bool axcl_abi;
module_param(axcl_abi, bool, 0444);
MODULE_PARM_DESC(axcl_abi, "Device nodes for programs that use Axera's AXCL libraries (default: N)");

static bool axcl_unsafe_without_iommu;
module_param(axcl_unsafe_without_iommu, bool, 0444);
MODULE_PARM_DESC(axcl_unsafe_without_iommu,
		 "AXCL programs need no CAP_SYS_RAWIO even where no IOMMU keeps the card from all memory (default: N)");

bool ax650_axcl_abi(void)
{
	return axcl_abi;
}

bool ax650_axcl_unsafe_without_iommu(void)
{
	return axcl_unsafe_without_iommu;
}
