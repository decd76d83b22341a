/* SPDX-License-Identifier: GPL-2.0 */
/* Between hwmon.c and hwmon.rs. */
#ifndef AX650_HWMON_H
#define AX650_HWMON_H

struct device;

/* The head of a sensor in Rust. */
struct ax650_hwmon_sensor {
	int (*read)(const struct ax650_hwmon_sensor *sensor, long *millidegrees);
};

/* C, called from Rust. */
struct device *ax650_hwmon_register(struct device *parent, const struct ax650_hwmon_sensor *sensor);
void ax650_hwmon_unregister(struct device *dev);

#endif
