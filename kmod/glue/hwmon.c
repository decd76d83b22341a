// SPDX-License-Identifier: GPL-2.0
/* A temperature sensor: tables only, the value comes from Rust (hwmon.rs). */
#include <linux/device.h>
#include <linux/hwmon.h>

#include "hwmon.h"

/* The chip switches itself off at this temperature [pcie 1.8]. */
#define AX650_TEMP_CRIT	120000

static umode_t ax650_hwmon_visible(const void *data, enum hwmon_sensor_types type, u32 attr,
				   int channel)
{
	return 0444;
}

static int ax650_hwmon_read(struct device *dev, enum hwmon_sensor_types type, u32 attr, int channel,
			    long *value)
{
	const struct ax650_hwmon_sensor *sensor = dev_get_drvdata(dev);

	if (attr == hwmon_temp_crit) {
		*value = AX650_TEMP_CRIT;
		return 0;
	}
	return sensor->read(sensor, value);
}

static const struct hwmon_ops ax650_hwmon_ops = {
	.is_visible = ax650_hwmon_visible,
	.read = ax650_hwmon_read,
};

static const struct hwmon_channel_info * const ax650_hwmon_channels[] = {
	HWMON_CHANNEL_INFO(temp, HWMON_T_INPUT | HWMON_T_CRIT),
	NULL
};

static const struct hwmon_chip_info ax650_hwmon_chip = {
	.ops = &ax650_hwmon_ops,
	.info = ax650_hwmon_channels,
};

/* NULL: no sensor, which is no reason not to drive the card. */
struct device *ax650_hwmon_register(struct device *parent, const struct ax650_hwmon_sensor *sensor)
{
	struct device *dev;

	if (!IS_REACHABLE(CONFIG_HWMON))
		return NULL;
	dev = hwmon_device_register_with_info(parent, "ax650", (void *)sensor, &ax650_hwmon_chip,
					      NULL);
	return IS_ERR(dev) ? NULL : dev;
}

void ax650_hwmon_unregister(struct device *dev)
{
	if (IS_REACHABLE(CONFIG_HWMON))
		hwmon_device_unregister(dev);
}
