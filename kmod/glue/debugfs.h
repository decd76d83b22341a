/* SPDX-License-Identifier: GPL-2.0 */
/* Between debugfs.c and debugfs.rs. */
#ifndef AX650_DEBUGFS_H
#define AX650_DEBUGFS_H

struct dentry;
struct seq_file;

/* The head of a file in Rust. */
struct ax650_debugfs_file {
	int (*show)(const struct ax650_debugfs_file *file, struct seq_file *seq);
};

/* C, called from Rust. */
struct dentry *ax650_debugfs_dir(const char *name);
void ax650_debugfs_file(struct dentry *dir, const char *name, const struct ax650_debugfs_file *file);
void ax650_debugfs_remove(struct dentry *dir);

#endif
