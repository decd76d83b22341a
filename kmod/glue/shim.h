/* SPDX-License-Identifier: GPL-2.0 */
/* Functions of shim.c, called from Rust (declared there in glue/shim.rs). */
#ifndef AX650_SHIM_H
#define AX650_SHIM_H

#include <linux/types.h>

struct device;
struct eventfd_ctx;
struct page;
struct pci_dev;
struct pid;
struct task_struct;

struct page *ax650_alloc_pages(unsigned int order, bool eager);
void ax650_not_a_leak(const void *object);
void ax650_put_page(struct page *page);
unsigned int ax650_max_order(void);
struct page *ax650_next_page(struct page *page, unsigned int n);
void ax650_copy_to_page(struct page *page, size_t offset, const void *from, size_t len);
void ax650_copy_from_page(void *to, struct page *page, size_t offset, size_t len);
void ax650_dma_rmb(void);
void ax650_dma_wmb(void);
void ax650_dma_mb(void);
bool ax650_needs_sync(struct device *dev);
bool ax650_syncs_pages(struct device *dev);
bool ax650_is_translated(struct device *dev);
unsigned int ax650_dma_alignment(struct device *dev);
void ax650_sync_for_device(struct device *dev, dma_addr_t address, size_t len, bool writes);
void ax650_sync_for_cpu(struct device *dev, dma_addr_t address, size_t len);
void ax650_eventfd_signal(struct eventfd_ctx *ctx);
struct task_struct *ax650_kthread_run(int (*main)(void *), void *data, const char *name);
void ax650_current_comm(char *to, size_t size);
struct pid *ax650_current_pid(void);
struct pid *ax650_current_thread(void);
int ax650_pid_number(struct pid *pid);
int ax650_pid_in_current_ns(struct pid *pid);
bool ax650_must_leave(void);
void ax650_be_prompt(void);
bool ax650_need_resched(void);
bool ax650_is_urgent(void);
u32 ax650_accountable_user(void);
void ax650_cpu_relax(void);
bool ax650_axcl_abi(void);
bool ax650_axcl_unsafe_without_iommu(void);
void ax650_md5(const u8 *data, size_t len, u8 *out);
void ax650_irq_mask_at_once(unsigned int irq);
void ax650_siphash_key(u64 *key);
u64 ax650_siphash(u64 before, const u8 *data, size_t len, const u64 *key);
void ax650_sha256_init(void *state);
void ax650_sha256_update(void *state, const u8 *data, size_t len);
void ax650_sha256_final(void *state, u8 *out);
int ax650_pci_domain(struct pci_dev *pdev);
u64 ax650_pci_bar_size(struct pci_dev *pdev, int bar);
bool ax650_pci_behind_switch(struct pci_dev *pdev);
bool ax650_pci_reaches(struct pci_dev *client, struct pci_dev *provider);
u32 ax650_pci_location(struct pci_dev *pdev);
void ax650_pci_program_addresses(struct pci_dev *pdev);
bool ax650_pci_addresses_hold(struct pci_dev *pdev);
void ax650_pci_restore_addresses(struct pci_dev *pdev);
void ax650_pci_link(struct pci_dev *pdev, u32 *speed, u32 *width);

#endif
