/* SPDX-License-Identifier: GPL-2.0 */
/* Between attributes.c and the Rust files beside it. */
#ifndef AX650_ATTRIBUTES_H
#define AX650_ATTRIBUTES_H

#include <linux/types.h>

struct attribute_group;
struct device;

enum ax650_attribute {
	AX650_ATTRIBUTE_STATE,
	AX650_ATTRIBUTE_GENERATION,
	AX650_ATTRIBUTE_FIRMWARE_VERSION,
	AX650_ATTRIBUTE_FIRMWARE_SHA256,
	AX650_ATTRIBUTE_HEARTBEAT_AGE,
	AX650_ATTRIBUTE_SESSIONS,
	AX650_ATTRIBUTE_LAST_ERROR,
};

/* Rust, called from C. */
ssize_t ax650_attribute_show(struct device *dev, u32 attribute, char *buf);
int ax650_attribute_control(struct device *dev, bool reset);
int ax650_sensor_read(const void *card, long *millidegrees);

/* C, called from Rust. */
extern const struct attribute_group *ax650_groups[];
struct device *ax650_sensor_register(struct device *parent, const void *card);
void ax650_sensor_unregister(struct device *dev);

#endif
