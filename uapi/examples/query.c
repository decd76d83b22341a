/* SPDX-License-Identifier: (GPL-2.0 WITH Linux-syscall-note) OR MIT */
/*
 * Asks the driver what it knows of a card, with nothing but the header.
 *
 *	cc -Wall -o query query.c && ./query /dev/ax650-0
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <ax650.h>

static const char *const states[] = {
	"absent", "loader", "booting", "handshake", "running", "suspect", "dead", "resetting", "gone",
};

int main(int argc, char **argv)
{
	const char *path = argc > 1 ? argv[1] : "/dev/ax650-0";
	/* A driver that is older than this program writes less: the rest stays 0. */
	struct ax650_card_info card = { 0 };
	struct ax650_query query = {
		.kind = AX650_QUERY_CARD,
		.size = sizeof(card),
		.data = (uintptr_t)&card,
	};
	int fd = open(path, O_RDWR | O_CLOEXEC);

	if (fd < 0 || ioctl(fd, AX650_IOC_QUERY, &query) < 0) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		return 1;
	}
	close(fd);
	/* Texts are padded with NUL, and may fill their fields. */
	printf("card: %04x:%02x:%02x.%x\n", card.pci_domain, card.pci_bus, card.pci_devfn >> 3, card.pci_devfn & 7);
	printf("chip: %.*s\n", (int)sizeof(card.chip), (const char *)card.chip);
	printf("firmware: %.*s\n", (int)sizeof(card.firmware_version), (const char *)card.firmware_version);
	/* A newer driver may have a state that this program has no name for. */
	if (card.state < sizeof(states) / sizeof(states[0]))
		printf("state: %s\n", states[card.state]);
	else
		printf("state: %u\n", card.state);
	/* Handles and sessions of an earlier generation answer ESTALE. */
	printf("generation: %u\n", card.generation);
	if (card.last_error)
		printf("last error: %s\n", strerror(-card.last_error));
	/* A newer driver has more to give than this program asked for. */
	if (query.size > sizeof(card))
		printf("%u bytes more are known\n", query.size - (unsigned int)sizeof(card));
	return 0;
}
