// SPDX-License-Identifier: GPL-2.0
/*
 * sysfs attributes of the PCI device and the temperature sensor: tables only, the values come from
 * Rust (attributes.rs, sensor.rs).  docs/sysfs.md describes the attributes.
 */
#include <linux/device.h>
#include <linux/hwmon.h>
#include <linux/sysfs.h>

#include "attributes.h"

#define AX650_ATTRIBUTE_RO(_name, _number)						\
static ssize_t _name##_show(struct device *dev, struct device_attribute *attr, char *buf)	\
{											\
	return ax650_attribute_show(dev, _number, buf);					\
}											\
static DEVICE_ATTR_RO(_name)

AX650_ATTRIBUTE_RO(state, AX650_ATTRIBUTE_STATE);
AX650_ATTRIBUTE_RO(generation, AX650_ATTRIBUTE_GENERATION);
AX650_ATTRIBUTE_RO(firmware_version, AX650_ATTRIBUTE_FIRMWARE_VERSION);
AX650_ATTRIBUTE_RO(firmware_sha256, AX650_ATTRIBUTE_FIRMWARE_SHA256);
AX650_ATTRIBUTE_RO(heartbeat_age_ms, AX650_ATTRIBUTE_HEARTBEAT_AGE);
AX650_ATTRIBUTE_RO(sessions, AX650_ATTRIBUTE_SESSIONS);
AX650_ATTRIBUTE_RO(last_error, AX650_ATTRIBUTE_LAST_ERROR);

/*
 * "boot" or "loader".  Not called "reset": the PCI core has an attribute of that name, which resets
 * the function but not the chip.
 */
static ssize_t control_store(struct device *dev, struct device_attribute *attr, const char *buf,
			     size_t count)
{
	int ret;

	if (sysfs_streq(buf, "boot"))
		ret = ax650_attribute_control(dev, false);
	else if (sysfs_streq(buf, "loader"))
		ret = ax650_attribute_control(dev, true);
	else
		ret = -EINVAL;
	return ret ? ret : count;
}
static DEVICE_ATTR_WO(control);

static struct attribute *ax650_attributes[] = {
	&dev_attr_state.attr,
	&dev_attr_generation.attr,
	&dev_attr_firmware_version.attr,
	&dev_attr_firmware_sha256.attr,
	&dev_attr_heartbeat_age_ms.attr,
	&dev_attr_sessions.attr,
	&dev_attr_last_error.attr,
	&dev_attr_control.attr,
	NULL
};

static const struct attribute_group ax650_group = {
	.attrs = ax650_attributes,
};

const struct attribute_group *ax650_groups[] = { &ax650_group, NULL };

/* The chip switches itself off at this temperature [pcie 1.8]. */
#define AX650_TEMP_CRIT	120000

static umode_t ax650_sensor_visible(const void *data, enum hwmon_sensor_types type, u32 attr,
				    int channel)
{
	return 0444;
}

static int ax650_sensor_read_temp(struct device *dev, enum hwmon_sensor_types type, u32 attr,
				  int channel, long *value)
{
	if (attr == hwmon_temp_crit) {
		*value = AX650_TEMP_CRIT;
		return 0;
	}
	return ax650_sensor_read(dev_get_drvdata(dev), value);
}

static const struct hwmon_ops ax650_sensor_ops = {
	.is_visible = ax650_sensor_visible,
	.read = ax650_sensor_read_temp,
};

static const struct hwmon_channel_info * const ax650_sensor_channels[] = {
	HWMON_CHANNEL_INFO(temp, HWMON_T_INPUT | HWMON_T_CRIT),
	NULL
};

static const struct hwmon_chip_info ax650_sensor_chip = {
	.ops = &ax650_sensor_ops,
	.info = ax650_sensor_channels,
};

/* NULL: no sensor, which is no reason not to drive the card. */
struct device *ax650_sensor_register(struct device *parent, const void *card)
{
	struct device *dev;

	if (!IS_REACHABLE(CONFIG_HWMON))
		return NULL;
	dev = hwmon_device_register_with_info(parent, "ax650", (void *)card, &ax650_sensor_chip,
					      NULL);
	return IS_ERR(dev) ? NULL : dev;
}

void ax650_sensor_unregister(struct device *dev)
{
	if (IS_REACHABLE(CONFIG_HWMON))
		hwmon_device_unregister(dev);
}
