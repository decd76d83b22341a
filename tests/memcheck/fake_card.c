/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Opens a card that is made of a few data structures, whatever card is asked for: linked with -Wl,--wrap=ax650_card_open.
 */
#include <libax650.h>

enum ax650_result ax650_card_open_fake(struct ax650_card **out);
enum ax650_result __wrap_ax650_card_open(const char *name, struct ax650_card **out);

enum ax650_result __wrap_ax650_card_open(const char *name, struct ax650_card **out)
{
	(void)name;
	return ax650_card_open_fake(out);
}
