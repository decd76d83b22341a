/* SPDX-License-Identifier: GPL-2.0 */
/* Functions of pin.c, called from Rust (declared there in glue/pin.rs). */
#ifndef AX650_PIN_H
#define AX650_PIN_H

#include <linux/types.h>

struct user_struct;

int ax650_charge_locked(unsigned long pages, struct user_struct **user);
void ax650_uncharge_locked(unsigned long pages, struct user_struct *user);
bool ax650_is_unfit(unsigned long at, bool write);

#endif
