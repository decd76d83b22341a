/* SPDX-License-Identifier: GPL-2.0 */
/* Functions of dmabuf.c, called from Rust (declared there in glue/dmabuf.rs). */
#ifndef AX650_DMABUF_H
#define AX650_DMABUF_H

#include <linux/types.h>

struct device;
struct dma_buf;
struct dma_buf_attachment;
struct file;
struct page;
struct sg_table;

struct dma_buf *ax650_dmabuf_get(int fd, bool write, size_t *size);
void ax650_dmabuf_put(struct dma_buf *buf);
struct dma_buf_attachment *ax650_dmabuf_map(struct dma_buf *buf, struct device *dev, bool write,
					    struct sg_table **table);
void ax650_dmabuf_unmap(struct dma_buf_attachment *attach, struct sg_table *table, bool write);
int ax650_dmabuf_copy(struct dma_buf *buf, size_t offset, void *data, size_t len, bool write);
struct dma_buf *ax650_dmabuf_export(struct page **pages, unsigned long count, void *owner,
				    void (*release)(void *owner));
struct file *ax650_dmabuf_file(struct dma_buf *buf);

#endif
