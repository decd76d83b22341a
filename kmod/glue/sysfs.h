/* SPDX-License-Identifier: GPL-2.0 */
/* Between sysfs.c and sysfs.rs. */
#ifndef AX650_SYSFS_H
#define AX650_SYSFS_H

#include <linux/types.h>

struct attribute_group;
struct device;

/* Rust, called from C. */
struct ax650_sysfs_ops {
	ssize_t (*show)(struct device *dev, const char *name, char *buf);
	int (*control)(struct device *dev, bool reset);
};

/* C, called from Rust. */
const struct attribute_group **ax650_sysfs_groups(const struct ax650_sysfs_ops *ops);
void ax650_sysfs_state(struct device *dev, const char *state);

#endif
