// SPDX-License-Identifier: GPL-2.0
/* A device coredump: where a kernel has none, nothing is kept. */
#include <linux/devcoredump.h>
#include <linux/vmalloc.h>

#include "coredump.h"

/* The framework keeps one of a device until it is read, for five minutes at most, and drops others. */
void ax650_coredump(struct device *dev, const void *text, size_t len)
{
	void *copy = vmalloc(len);

	if (!copy)
		return;
	memcpy(copy, text, len);
	dev_coredumpv(dev, copy, len, GFP_KERNEL);
}
