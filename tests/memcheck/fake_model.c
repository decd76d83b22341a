/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Writes a model for that card to a file.
 *
 *     fake_model FILE
 */
#include <libax650.h>
#include <stdio.h>

enum ax650_result ax650_fake_model(const char *path);

int main(int argc, char **argv)
{
	if (argc != 2 || ax650_fake_model(argv[1]) < 0) {
		fprintf(stderr, "fake_model: %s\n", ax650_last_error());
		return 1;
	}
	return 0;
}
