// SPDX-License-Identifier: GPL-2.0
/*
 * Proves that the debug kernel's checkers speak up and that the harness hears them: each write
 * to the module parameter `trip` makes one deliberate mistake.  A test that relies on a silent
 * kernel log is worth nothing without this one.
 *
 *   echo NAME >/sys/module/checkers/parameters/trip
 *
 * Build: KMOD=tests/env/checkers tests/env/module.sh debug
 */
#include <linux/kernel.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/string.h>

static DEFINE_SPINLOCK(trip_lock);
static DEFINE_MUTEX(first);
static DEFINE_MUTEX(second);
/* Volatile, so that the compiler does not see through the mistakes. */
static volatile int index_beyond = 5;

static void use_after_free(void)
{
	char *volatile p = kmalloc(64, GFP_KERNEL);

	kfree(p);
	if (p)
		p[8] = 1;
}

static void out_of_bounds(void)
{
	char *volatile p = kmalloc(64, GFP_KERNEL);

	if (p)
		p[64] = 1;
	kfree(p);
}

static void array_index(void)
{
	/* UBSAN checks the index, whatever lies behind the array. */
	static struct {
		int array[4];
		int behind[8];
	} s;

	s.array[index_beyond] = 1;
}

static void sleep_in_atomic(void)
{
	/* Not a true sleep: to schedule with a spinlock held is beyond repair. */
	spin_lock(&trip_lock);
	might_sleep();
	spin_unlock(&trip_lock);
}

static void lock_order(void)
{
	mutex_lock(&first);
	mutex_lock(&second);
	mutex_unlock(&second);
	mutex_unlock(&first);

	mutex_lock(&second);
	mutex_lock(&first);
	mutex_unlock(&first);
	mutex_unlock(&second);
}

static void leak(void)
{
	char *volatile p;
	int i;

	/* More than one: a stale copy of a pointer on a stack can hide a single leak. */
	for (i = 0; i < 8; i++)
		p = kmalloc(200, GFP_KERNEL);
	p = NULL;
}

static void warn(void)
{
	WARN(1, "deliberate\n");
}

static const struct {
	const char *name;
	void (*run)(void);
} trips[] = {
	{ "use-after-free", use_after_free }, /* KASAN */
	{ "out-of-bounds", out_of_bounds }, /* KASAN */
	{ "array-index", array_index }, /* UBSAN */
	{ "sleep-in-atomic", sleep_in_atomic }, /* DEBUG_ATOMIC_SLEEP */
	{ "lock-order", lock_order }, /* lockdep; first, any report turns it off */
	{ "leak", leak }, /* kmemleak=on; echo scan >/sys/kernel/debug/kmemleak */
	{ "warn", warn }, /* any kernel */
};

static int trip_set(const char *value, const struct kernel_param *param)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(trips); i++) {
		if (sysfs_streq(value, trips[i].name)) {
			trips[i].run();
			return 0;
		}
	}
	return -EINVAL;
}

static const struct kernel_param_ops trip_ops = { .set = trip_set };
module_param_cb(trip, &trip_ops, NULL, 0200);
MODULE_PARM_DESC(trip, "mistake to make");

static int __init checkers_init(void)
{
	return 0;
}

static void __exit checkers_exit(void)
{
}

module_init(checkers_init);
module_exit(checkers_exit);
MODULE_DESCRIPTION("Deliberate mistakes, to test the checkers");
MODULE_LICENSE("GPL");
