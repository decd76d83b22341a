// SPDX-License-Identifier: GPL-2.0
/*
 * debugfs: a directory for each card.  Tables only, the text comes from Rust (debug.rs).
 * docs/debugfs.md describes the files.
 *
 * The kernel crate's abstraction is not used: its files do not hold the module, so closing one after
 * the module has been unloaded would call into nowhere.
 */
#include <linux/debugfs.h>
#include <linux/seq_file.h>

#include "debug.h"

#define AX650_DEBUG_FILE(_name, _number)						\
static int _name##_show(struct seq_file *seq, void *unused)				\
{											\
	return ax650_debug_show(seq->private, _number, seq);				\
}											\
DEFINE_SHOW_ATTRIBUTE(_name)

AX650_DEBUG_FILE(transport, AX650_DEBUG_TRANSPORT);
AX650_DEBUG_FILE(counters, AX650_DEBUG_COUNTERS);
AX650_DEBUG_FILE(ports, AX650_DEBUG_PORTS);
AX650_DEBUG_FILE(clients, AX650_DEBUG_CLIENTS);

/* Errors are no reason not to drive the card; debugfs takes them as arguments and does nothing. */
struct dentry *ax650_debug_create(const char *name, const void *card)
{
	struct dentry *dir = debugfs_create_dir(name, NULL);

	debugfs_create_file("transport", 0400, dir, (void *)card, &transport_fops);
	debugfs_create_file("counters", 0400, dir, (void *)card, &counters_fops);
	debugfs_create_file("ports", 0400, dir, (void *)card, &ports_fops);
	debugfs_create_file("clients", 0400, dir, (void *)card, &clients_fops);
	return dir;
}

/* Waits for those who are reading; files that are still open fail with EIO from then on. */
void ax650_debug_remove(struct dentry *dir)
{
	debugfs_remove(dir);
}
