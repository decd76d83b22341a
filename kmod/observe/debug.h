/* SPDX-License-Identifier: GPL-2.0 */
/* Between debug.c and debug.rs. */
#ifndef AX650_DEBUG_H
#define AX650_DEBUG_H

#include <linux/types.h>

struct dentry;
struct seq_file;

enum ax650_debug_file {
	AX650_DEBUG_TRANSPORT,
	AX650_DEBUG_COUNTERS,
	AX650_DEBUG_PORTS,
	AX650_DEBUG_CLIENTS,
};

/* Rust, called from C. */
int ax650_debug_show(const void *card, u32 file, struct seq_file *seq);

/* C, called from Rust. */
struct dentry *ax650_debug_create(const char *name, const void *card);
void ax650_debug_remove(struct dentry *dir);

#endif
