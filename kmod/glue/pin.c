// SPDX-License-Identifier: GPL-2.0
/*
 * Memory of the caller, what Rust cannot reach: who pays for it, and why it cannot be had (glue/pin.rs
 * declares these).
 */
#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/mm.h>
#include <linux/sched/signal.h>
#include <linux/sched/user.h>

#include "pin.h"

/*
 * Charges pages to RLIMIT_MEMLOCK of the calling user, together with what other drivers and io_uring have
 * pinned for him.  *user is NULL if nothing needs to be given back: CAP_IPC_LOCK is exempt.
 */
int ax650_charge_locked(unsigned long pages, struct user_struct **user)
{
	unsigned long most = rlimit(RLIMIT_MEMLOCK) >> PAGE_SHIFT;
	struct user_struct *payer = current_user();
	long held = atomic_long_read(&payer->locked_vm);

	*user = NULL;
	if (capable(CAP_IPC_LOCK))
		return 0;
	do {
		if (held + pages > most)
			return -ENOMEM;
	} while (!atomic_long_try_cmpxchg(&payer->locked_vm, &held, held + pages));
	*user = get_uid(payer);
	return 0;
}

void ax650_uncharge_locked(unsigned long pages, struct user_struct *user)
{
	atomic_long_sub(pages, &user->locked_vm);
	free_uid(user);
}

/* Whether a file has to know of each page that is written to: it cannot when a device writes. */
static bool tracks_writes(struct vm_area_struct *vma)
{
	return vma->vm_ops && (vma->vm_ops->page_mkwrite || vma->vm_ops->pfn_mkwrite);
}

/* Whether what is at this address of the caller is there, and cannot be pinned by its kind. */
bool ax650_is_unfit(unsigned long at, bool write)
{
	struct mm_struct *mm = current->mm;
	struct vm_area_struct *vma;
	bool unfit;

	if (!mm || mmap_read_lock_killable(mm))
		return false;
	vma = find_vma(mm, at);
	unfit = vma && vma->vm_start <= at &&
		(vma->vm_flags & (VM_IO | VM_PFNMAP) ||
		 (write && vma->vm_flags & VM_SHARED && vma->vm_flags & VM_WRITE && tracks_writes(vma)));
	mmap_read_unlock(mm);
	return unfit;
}
