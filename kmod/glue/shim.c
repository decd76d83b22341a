// SPDX-License-Identifier: GPL-2.0
/*
 * What Rust cannot reach in the kernel: static inline functions, macros, and functions that the
 * kernel's bindings leave out.  One line each where possible; the logic is in Rust (glue/shim.rs
 * declares these).
 */
#include <linux/bitfield.h>
#include <linux/cred.h>
#include <linux/dma-map-ops.h> /* dev_is_dma_coherent */
#include <linux/dma-mapping.h>
#include <linux/eventfd.h>
#include <linux/freezer.h>
#include <linux/gfp.h>
#include <linux/highmem.h>
#include <linux/interrupt.h>
#include <linux/iommu.h>
#include <linux/irq.h>
#include <linux/kmemleak.h>
#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/mmzone.h>
#include <linux/pci-p2pdma.h>
#include <linux/pci.h>
#include <linux/random.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/siphash.h>
#include <linux/uidgid.h>
#include <linux/user_namespace.h>
#include <crypto/md5.h>
#include <crypto/sha2.h>

#include "shim.h"

/*
 * 2^order zeroed pages that are freed one by one.  Higher orders are a wish: no retries, no warning.
 * Those that are hard to get are taken only if they lie ready, unless the caller is `eager`: smaller ones
 * do as well, and making them costs more than they save.  Nobody else's process is killed to get a
 * buffer.
 */
struct page *ax650_alloc_pages(unsigned int order, bool eager)
{
	gfp_t gfp = GFP_KERNEL_ACCOUNT | __GFP_ZERO | __GFP_NOWARN;
	struct page *page;

	gfp |= order ? __GFP_NORETRY : __GFP_RETRY_MAYFAIL;
	if (order > PAGE_ALLOC_COSTLY_ORDER && !eager)
		gfp &= ~__GFP_DIRECT_RECLAIM;
	page = alloc_pages(gfp, order);
	if (page && order)
		split_page(page, order);
	return page;
}

/* What is lost on purpose is no leak. */
void ax650_not_a_leak(const void *object)
{
	kmemleak_not_leak(object);
}

void ax650_put_page(struct page *page)
{
	put_page(page);
}

/* The largest block worth asking for: 4 MiB with pages of 4 KiB. */
unsigned int ax650_max_order(void)
{
	return min(MAX_PAGE_ORDER, 10);
}

struct page *ax650_next_page(struct page *page, unsigned int n)
{
	return page + n;
}

void ax650_copy_to_page(struct page *page, size_t offset, const void *from, size_t len)
{
	memcpy_to_page(page, offset, from, len);
}

void ax650_copy_from_page(void *to, struct page *page, size_t offset, size_t len)
{
	memcpy_from_page(to, page, offset, len);
}

void ax650_dma_rmb(void)
{
	dma_rmb();
}

void ax650_dma_wmb(void)
{
	dma_wmb();
}

void ax650_dma_mb(void)
{
	dma_mb();
}

/* Whether memory must be handed over at all: not where the device sees the CPU's caches. */
bool ax650_needs_sync(struct device *dev)
{
	return dma_dev_need_sync(dev);
}

/*
 * Whether that must be done page by page: where caches are written back, and pages that are neighbours
 * on the bus may be anywhere in memory.  The DMA API looks up where the first byte of a range is, and
 * takes the others to be behind it.
 */
bool ax650_syncs_pages(struct device *dev)
{
	return device_iommu_mapped(dev) && !dev_is_dma_coherent(dev);
}

/*
 * Whether an IOMMU lets the device reach nothing but what is mapped for it.  An identity domain
 * (iommu=pt) lets it reach everything.
 */
bool ax650_is_translated(struct device *dev)
{
#ifdef CONFIG_IOMMU_API
	struct iommu_domain *domain = iommu_get_domain_for_dev(dev);

	return domain && (domain->type & __IOMMU_DOMAIN_PAGING);
#else
	return false;
#endif
}

/* What memory that the device writes to must be aligned to, so that nothing else is in its cache lines. */
unsigned int ax650_dma_alignment(struct device *dev)
{
	return dev_is_dma_coherent(dev) ? 1 : dma_get_cache_alignment();
}

void ax650_sync_for_device(struct device *dev, dma_addr_t address, size_t len, bool writes)
{
	dma_sync_single_for_device(dev, address, len, writes ? DMA_BIDIRECTIONAL : DMA_TO_DEVICE);
}

void ax650_sync_for_cpu(struct device *dev, dma_addr_t address, size_t len)
{
	dma_sync_single_for_cpu(dev, address, len, DMA_BIDIRECTIONAL);
}

void ax650_eventfd_signal(struct eventfd_ctx *ctx)
{
	eventfd_signal(ctx);
}

struct task_struct *ax650_kthread_run(int (*main)(void *), void *data, const char *name)
{
	struct task_struct *task = kthread_run(main, data, "%s", name);

	return IS_ERR(task) ? NULL : task;
}

void ax650_current_comm(char *to, size_t size)
{
	strscpy_pad(to, current->comm, size);
}

int ax650_pid_in_current_ns(struct pid *pid)
{
	return pid_vnr(pid);
}

/* Whether the calling task is being killed, or wanted by the freezer. */
bool ax650_must_leave(void)
{
	return fatal_signal_pending(current) || freezing(current);
}

/* As threads that handle interrupts. */
void ax650_be_prompt(void)
{
	sched_set_fifo(current);
}

bool ax650_need_resched(void)
{
	return need_resched();
}

bool ax650_is_urgent(void)
{
	return task_nice(current) <= 0 && current->policy != SCHED_BATCH &&
	       current->policy != SCHED_IDLE;
}

u32 ax650_accountable_user(void)
{
	const struct cred *cred = current_cred();
	struct user_namespace *ns = cred->user_ns;
	kuid_t id = cred->euid;

	/* Whoever has subordinate ids is one user, however many they are. */
	for (; ns != &init_user_ns; ns = ns->parent)
		id = ns->owner;
	return from_kuid(&init_user_ns, id);
}

void ax650_cpu_relax(void)
{
	cpu_relax();
}

struct pid *ax650_current_pid(void)
{
	return get_pid(task_tgid(current));
}

struct pid *ax650_current_thread(void)
{
	return get_pid(task_pid(current));
}

int ax650_pid_number(struct pid *pid)
{
	return pid_nr(pid);
}

void ax650_md5(const u8 *data, size_t len, u8 *out)
{
	md5(data, len, out);
}

void ax650_siphash_key(u64 *key)
{
	get_random_bytes(key, sizeof(siphash_key_t));
}

/* Tags are chained: that of a piece, with that of the pieces before it. */
u64 ax650_siphash(u64 before, const u8 *data, size_t len, const u64 *key)
{
	const siphash_key_t k = { { key[0], key[1] } };

	return siphash_2u64(before, siphash(data, len, &k), &k);
}

/* What glue/digest.rs sets aside for the state of a SHA-256. */
#define AX650_SHA256_STATE	128

void ax650_sha256_init(void *state)
{
	static_assert(sizeof(struct sha256_ctx) <= AX650_SHA256_STATE);
	static_assert(__alignof__(struct sha256_ctx) <= 8);
	sha256_init(state);
}

void ax650_sha256_update(void *state, const u8 *data, size_t len)
{
	sha256_update(state, data, len);
}

void ax650_sha256_final(void *state, u8 *out)
{
	sha256_final(state, out);
}

int ax650_pci_domain(struct pci_dev *pdev)
{
	return pci_domain_nr(pdev->bus);
}

u64 ax650_pci_bar_size(struct pci_dev *pdev, int bar)
{
	return pci_resource_len(pdev, bar);
}

/* Whether the bridge above is not a root port: two cards behind it can reach each other there. */
bool ax650_pci_behind_switch(struct pci_dev *pdev)
{
	struct pci_dev *bridge = pci_upstream_bridge(pdev);

	return bridge && !pci_is_root_bus(bridge->bus);
}

/* From now on disable_irq() masks the vector in the device, not only when the next interrupt has come. */
void ax650_irq_mask_at_once(unsigned int irq)
{
	irq_set_status_flags(irq, IRQ_DISABLE_UNLAZY);
}

/* Whether the kernel says that `client` reaches the BARs of `provider`. */
bool ax650_pci_reaches(struct pci_dev *client, struct pci_dev *provider)
{
	return pci_p2pdma_distance(provider, &client->dev, false) >= 0;
}

u32 ax650_pci_location(struct pci_dev *pdev)
{
	return pdev->bus->number << 8 | pdev->devfn;
}

/*
 * The addresses as saved.  pci_restore_state() leaves out registers that read as they should, but
 * under a hypervisor that answers such reads itself the card behind it has lost them all the same.
 */
void ax650_pci_restore_addresses(struct pci_dev *pdev)
{
	int i;

	for (i = PCI_BASE_ADDRESS_0; i <= PCI_BASE_ADDRESS_5; i += 4)
		pci_write_config_dword(pdev, i, pdev->saved_config_space[i / 4]);
}

/* Where the kernel has put a BAR: what the bus calls it, not the CPU; 0 if there is no such BAR. */
static u64 bar_address(struct pci_dev *pdev, int bar)
{
	struct resource *res = &pdev->resource[bar];
	struct pci_bus_region region;

	if (!(res->flags & IORESOURCE_MEM) || res->flags & IORESOURCE_UNSET || !resource_size(res))
		return 0;
	pcibios_resource_to_bus(pdev->bus, &region, res);
	return region.start;
}

/*
 * For a card whose configuration was wiped before this driver came: addresses as the kernel has
 * assigned them, and decoding on.
 */
void ax650_pci_program_addresses(struct pci_dev *pdev)
{
	int i;

	for (i = 0; i < PCI_STD_NUM_BARS; i++) {
		u64 address = bar_address(pdev, i);

		if (!address)
			continue;
		pci_write_config_dword(pdev, PCI_BASE_ADDRESS_0 + 4 * i, lower_32_bits(address));
		if (pdev->resource[i].flags & IORESOURCE_MEM_64)
			pci_write_config_dword(pdev, PCI_BASE_ADDRESS_1 + 4 * i,
					       upper_32_bits(address));
	}
	pci_write_config_word(pdev, PCI_COMMAND, PCI_COMMAND_MEMORY);
}

/* Whether the BARs are where the kernel has put them. */
bool ax650_pci_addresses_hold(struct pci_dev *pdev)
{
	int i;

	for (i = 0; i < PCI_STD_NUM_BARS; i++) {
		u64 address = bar_address(pdev, i);
		u32 now = 0;

		if (!address)
			continue;
		pci_read_config_dword(pdev, PCI_BASE_ADDRESS_0 + 4 * i, &now);
		if ((now ^ lower_32_bits(address)) & PCI_BASE_ADDRESS_MEM_MASK)
			return false;
	}
	return true;
}

/* Speed in MT/s and width in lanes of the link, 0 where the register says nothing. */
void ax650_pci_link(struct pci_dev *pdev, u32 *speed, u32 *width)
{
	static const u16 mtps[] = { 0, 2500, 5000, 8000, 16000, 32000 };
	u16 status = 0;

	*speed = 0;
	*width = 0;
	if (pcie_capability_read_word(pdev, PCI_EXP_LNKSTA, &status) || status == 0xffff)
		return;
	if ((status & PCI_EXP_LNKSTA_CLS) < ARRAY_SIZE(mtps))
		*speed = mtps[status & PCI_EXP_LNKSTA_CLS];
	*width = FIELD_GET(PCI_EXP_LNKSTA_NLW, status);
}
