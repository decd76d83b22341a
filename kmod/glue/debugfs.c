// SPDX-License-Identifier: GPL-2.0
/*
 * A directory in debugfs; the files and their text come from Rust (debugfs.rs).
 *
 * Not the kernel crate's abstraction: neither in Linux 7.2 nor in 7.3 do its files hold the module, so
 * closing one after the module has been unloaded would call into nowhere.
 */
#include <linux/debugfs.h>
#include <linux/seq_file.h>

#include "debugfs.h"

static int ax650_debugfs_show(struct seq_file *seq, void *unused)
{
	const struct ax650_debugfs_file *file = seq->private;

	return file->show(file, seq);
}
DEFINE_SHOW_ATTRIBUTE(ax650_debugfs);

/* Errors are no reason not to drive the card; debugfs takes them as arguments and does nothing. */
struct dentry *ax650_debugfs_dir(const char *name)
{
	return debugfs_create_dir(name, NULL);
}

void ax650_debugfs_file(struct dentry *dir, const char *name, const struct ax650_debugfs_file *file)
{
	debugfs_create_file(name, 0400, dir, (void *)file, &ax650_debugfs_fops);
}

/* Waits for those who are reading; files that are still open fail with EIO from then on. */
void ax650_debugfs_remove(struct dentry *dir)
{
	debugfs_remove(dir);
}
