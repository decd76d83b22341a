// SPDX-License-Identifier: GPL-2.0
/*
 * Memory shared with other drivers: dma-bufs of theirs, and our pages as one (glue/dmabuf.rs declares
 * these).
 */
#include <linux/dma-buf.h>
#include <linux/dma-mapping.h>
#include <linux/dma-resv.h>
#include <linux/iosys-map.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/scatterlist.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "dmabuf.h"

#ifdef CONFIG_DMA_SHARED_BUFFER

MODULE_IMPORT_NS("DMA_BUF");

static enum dma_data_direction way(bool write)
{
	return write ? DMA_BIDIRECTIONAL : DMA_TO_DEVICE;
}

/* EACCES: a file that was opened for reading is no permission to write. */
struct dma_buf *ax650_dmabuf_get(int fd, bool write, size_t *size)
{
	struct dma_buf *buf = dma_buf_get(fd);

	if (IS_ERR(buf))
		return buf;
	if (write && !(buf->file->f_mode & FMODE_WRITE)) {
		dma_buf_put(buf);
		return ERR_PTR(-EACCES);
	}
	*size = buf->size;
	return buf;
}

void ax650_dmabuf_put(struct dma_buf *buf)
{
	dma_buf_put(buf);
}

/* Attached without a way to tell us of moves, it stays where it is. */
struct dma_buf_attachment *ax650_dmabuf_map(struct dma_buf *buf, struct device *dev, bool write,
					    struct sg_table **table)
{
	struct dma_buf_attachment *attach = dma_buf_attach(buf, dev);

	if (IS_ERR(attach))
		return attach;
	*table = dma_buf_map_attachment_unlocked(attach, way(write));
	if (IS_ERR(*table)) {
		dma_buf_detach(buf, attach);
		return ERR_CAST(*table);
	}
	return attach;
}

void ax650_dmabuf_unmap(struct dma_buf_attachment *attach, struct sg_table *table, bool write)
{
	dma_buf_unmap_attachment_unlocked(attach, table, way(write));
	dma_buf_detach(attach->dmabuf, attach);
}

/* Copies to or from it by the CPU, for the little that the card does not move. */
int ax650_dmabuf_copy(struct dma_buf *buf, size_t offset, void *data, size_t len, bool write)
{
	enum dma_data_direction direction = write ? DMA_BIDIRECTIONAL : DMA_FROM_DEVICE;
	struct iosys_map map;
	int ret;

	ret = dma_buf_begin_cpu_access(buf, direction);
	if (ret)
		return ret;
	ret = dma_buf_vmap_unlocked(buf, &map);
	if (!ret) {
		if (write)
			iosys_map_memcpy_to(&map, offset, data, len);
		else
			iosys_map_memcpy_from(data, &map, offset, len);
		dma_buf_vunmap_unlocked(buf, &map);
	}
	return dma_buf_end_cpu_access(buf, direction) ?: ret;
}

/* Pages that others may reach as long as `owner` keeps them. */
struct exported {
	struct page **pages;
	unsigned long count;
	void *owner;
	void (*release)(void *owner);
};

/* Mapped for a device, while `direction` says how; under the lock of the dma-buf's reservations. */
struct mapped {
	struct sg_table table;
	enum dma_data_direction direction;
};

static int exported_attach(struct dma_buf *buf, struct dma_buf_attachment *attach)
{
	struct exported *exported = buf->priv;
	struct mapped *mapped = kzalloc(sizeof(*mapped), GFP_KERNEL);
	int ret;

	if (!mapped)
		return -ENOMEM;
	ret = sg_alloc_table_from_pages_segment(&mapped->table, exported->pages, exported->count, 0,
						exported->count << PAGE_SHIFT,
						dma_get_max_seg_size(attach->dev), GFP_KERNEL);
	if (ret) {
		kfree(mapped);
		return ret;
	}
	mapped->direction = DMA_NONE;
	attach->priv = mapped;
	return 0;
}

static void exported_detach(struct dma_buf *buf, struct dma_buf_attachment *attach)
{
	struct mapped *mapped = attach->priv;

	sg_free_table(&mapped->table);
	kfree(mapped);
}

static struct sg_table *exported_map(struct dma_buf_attachment *attach,
				     enum dma_data_direction direction)
{
	struct mapped *mapped = attach->priv;
	int ret;

	if (mapped->direction != DMA_NONE)
		return ERR_PTR(-EBUSY);
	ret = dma_map_sgtable(attach->dev, &mapped->table, direction, 0);
	if (ret)
		return ERR_PTR(ret);
	mapped->direction = direction;
	return &mapped->table;
}

static void exported_unmap(struct dma_buf_attachment *attach, struct sg_table *table,
			   enum dma_data_direction direction)
{
	struct mapped *mapped = attach->priv;

	dma_unmap_sgtable(attach->dev, &mapped->table, direction, 0);
	mapped->direction = DMA_NONE;
}

static void exported_release(struct dma_buf *buf)
{
	struct exported *exported = buf->priv;

	exported->release(exported->owner);
	kfree(exported);
}

/* Hands the memory to the CPU, or back to all devices that it is mapped for. */
static int hand_over(struct dma_buf *buf, bool to_cpu)
{
	struct dma_buf_attachment *attach;
	int ret = dma_resv_lock_interruptible(buf->resv, NULL);

	if (ret)
		return ret;
	list_for_each_entry(attach, &buf->attachments, node) {
		struct mapped *mapped = attach->priv;

		if (mapped->direction == DMA_NONE)
			continue;
		if (to_cpu)
			dma_sync_sgtable_for_cpu(attach->dev, &mapped->table, mapped->direction);
		else
			dma_sync_sgtable_for_device(attach->dev, &mapped->table, mapped->direction);
	}
	dma_resv_unlock(buf->resv);
	return 0;
}

static int exported_begin_cpu_access(struct dma_buf *buf, enum dma_data_direction direction)
{
	return hand_over(buf, true);
}

static int exported_end_cpu_access(struct dma_buf *buf, enum dma_data_direction direction)
{
	return hand_over(buf, false);
}

/* The core has seen to it that it is not longer than the dma-buf. */
static int exported_mmap(struct dma_buf *buf, struct vm_area_struct *vma)
{
	struct exported *exported = buf->priv;
	unsigned long left = vma_pages(vma);

	if (!(vma->vm_flags & VM_SHARED))
		return -EINVAL;
	if (vma->vm_flags & VM_EXEC)
		return -EPERM;
	vm_flags_mod(vma, VM_DONTEXPAND, VM_MAYEXEC);
	return vm_insert_pages(vma, vma->vm_start, exported->pages + vma->vm_pgoff, &left);
}

static int exported_vmap(struct dma_buf *buf, struct iosys_map *map)
{
	struct exported *exported = buf->priv;
	void *at = vmap(exported->pages, exported->count, VM_MAP, PAGE_KERNEL);

	if (!at)
		return -ENOMEM;
	iosys_map_set_vaddr(map, at);
	return 0;
}

static void exported_vunmap(struct dma_buf *buf, struct iosys_map *map)
{
	vunmap(map->vaddr);
}

static const struct dma_buf_ops exported_ops = {
	.attach = exported_attach,
	.detach = exported_detach,
	.map_dma_buf = exported_map,
	.unmap_dma_buf = exported_unmap,
	.release = exported_release,
	.begin_cpu_access = exported_begin_cpu_access,
	.end_cpu_access = exported_end_cpu_access,
	.mmap = exported_mmap,
	.vmap = exported_vmap,
	.vunmap = exported_vunmap,
};

/* Unless it fails, `release` is called with `owner` when nobody has the dma-buf any more. */
struct dma_buf *ax650_dmabuf_export(struct page **pages, unsigned long count, void *owner,
				    void (*release)(void *owner))
{
	DEFINE_DMA_BUF_EXPORT_INFO(info);
	struct exported *exported = kzalloc(sizeof(*exported), GFP_KERNEL);
	struct dma_buf *buf;

	if (!exported)
		return ERR_PTR(-ENOMEM);
	*exported = (struct exported){ pages, count, owner, release };
	info.ops = &exported_ops;
	info.size = count << PAGE_SHIFT;
	info.flags = O_RDWR;
	info.priv = exported;
	buf = dma_buf_export(&info);
	if (IS_ERR(buf))
		kfree(exported);
	return buf;
}

struct file *ax650_dmabuf_file(struct dma_buf *buf)
{
	return buf->file;
}

#else /* a kernel without dma-bufs: nothing can be had, so nothing has to be given back */

struct dma_buf *ax650_dmabuf_get(int fd, bool write, size_t *size)
{
	return ERR_PTR(-EOPNOTSUPP);
}

void ax650_dmabuf_put(struct dma_buf *buf)
{
}

struct dma_buf_attachment *ax650_dmabuf_map(struct dma_buf *buf, struct device *dev, bool write,
					    struct sg_table **table)
{
	return ERR_PTR(-EOPNOTSUPP);
}

void ax650_dmabuf_unmap(struct dma_buf_attachment *attach, struct sg_table *table, bool write)
{
}

int ax650_dmabuf_copy(struct dma_buf *buf, size_t offset, void *data, size_t len, bool write)
{
	return -EOPNOTSUPP;
}

struct dma_buf *ax650_dmabuf_export(struct page **pages, unsigned long count, void *owner,
				    void (*release)(void *owner))
{
	return ERR_PTR(-EOPNOTSUPP);
}

struct file *ax650_dmabuf_file(struct dma_buf *buf)
{
	return NULL;
}

#endif
