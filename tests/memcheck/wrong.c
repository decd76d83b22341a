/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Does what must be found.
 *
 *     wrong leak    forgets a session
 *     wrong late    looks at a text of the library's when that has ended
 */
#include <libax650.h>
#include <string.h>

int main(int argc, char **argv)
{
	struct ax650_card *card;
	struct ax650_session *session;
	const char *last;
	int found = 0;

	if (argc != 2 || ax650_card_open(NULL, &card) < 0 || ax650_session_open(card, &session) < 0)
		return 3;
	if (!strcmp(argv[1], "late")) {
		ax650_session_free(session);
		ax650_session_open(NULL, NULL);
		last = ax650_last_error();
		/* The next error's text takes its place. */
		ax650_decoder_send(NULL, NULL, 0, 0);
		ax650_model_load_file(NULL, "nothing", NULL);
		found = *last == 'x';
	}
	session = NULL;
	ax650_card_close(card);
	return found;
}
