// SPDX-License-Identifier: GPL-2.0
/*
 * sysfs attributes of the PCI device: the table only, the values come from Rust (sysfs.rs), which goes
 * by the name.  docs/ABI/sysfs-driver-ax650 describes the attributes.
 */
#include <linux/device.h>
#include <linux/sysfs.h>

#include "sysfs.h"

/* Set before the driver is registered. */
static const struct ax650_sysfs_ops *ax650_sysfs;

static ssize_t ax650_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return ax650_sysfs->show(dev, attr->attr.name, buf);
}

/*
 * "boot" or "loader".  Not called "reset": the PCI core has an attribute of that name, which resets
 * the function but not the chip.
 */
static ssize_t control_store(struct device *dev, struct device_attribute *attr, const char *buf,
			     size_t count)
{
	int ret;

	if (sysfs_streq(buf, "boot"))
		ret = ax650_sysfs->control(dev, false);
	else if (sysfs_streq(buf, "loader"))
		ret = ax650_sysfs->control(dev, true);
	else
		ret = -EINVAL;
	return ret ? ret : count;
}
static DEVICE_ATTR_WO(control);

#define AX650_ATTRIBUTE_RO(_name) \
	static struct device_attribute dev_attr_##_name = __ATTR(_name, 0444, ax650_show, NULL)

AX650_ATTRIBUTE_RO(state);
AX650_ATTRIBUTE_RO(generation);
AX650_ATTRIBUTE_RO(firmware_version);
AX650_ATTRIBUTE_RO(firmware_sha256);
AX650_ATTRIBUTE_RO(heartbeat_age_ms);
AX650_ATTRIBUTE_RO(sessions);
AX650_ATTRIBUTE_RO(last_error);
AX650_ATTRIBUTE_RO(npu_busy_time_us);
AX650_ATTRIBUTE_RO(npu_memory_total);
AX650_ATTRIBUTE_RO(npu_memory_utilization);

static struct attribute *ax650_attrs[] = {
	&dev_attr_state.attr,
	&dev_attr_generation.attr,
	&dev_attr_firmware_version.attr,
	&dev_attr_firmware_sha256.attr,
	&dev_attr_heartbeat_age_ms.attr,
	&dev_attr_sessions.attr,
	&dev_attr_last_error.attr,
	&dev_attr_npu_busy_time_us.attr,
	&dev_attr_npu_memory_total.attr,
	&dev_attr_npu_memory_utilization.attr,
	&dev_attr_control.attr,
	NULL
};
ATTRIBUTE_GROUPS(ax650);

/* Tells udev, and whoever polls the attribute. */
void ax650_sysfs_state(struct device *dev, const char *state)
{
	char text[sizeof("STATE=") + 16];
	char *env[] = { text, NULL };

	snprintf(text, sizeof(text), "STATE=%s", state);
	kobject_uevent_env(&dev->kobj, KOBJ_CHANGE, env);
	sysfs_notify(&dev->kobj, NULL, "state");
}

const struct attribute_group **ax650_sysfs_groups(const struct ax650_sysfs_ops *ops)
{
	ax650_sysfs = ops;
	return ax650_groups;
}
