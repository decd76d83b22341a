/* SPDX-License-Identifier: GPL-2.0 */
/* Between coredump.c and coredump.rs. */
#ifndef AX650_COREDUMP_H
#define AX650_COREDUMP_H

#include <linux/types.h>

struct device;

/* C, called from Rust. */
void ax650_coredump(struct device *dev, const void *text, size_t len);

#endif
