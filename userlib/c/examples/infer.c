/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Runs a model once on the first card and prints the first bytes of each output.
 *
 *     infer MODEL [INPUT ...]      raw bytes for each input; an input without a file is left all zeros
 *
 *     cc infer.c $(pkg-config --cflags --libs libax650) -o infer
 */
#include <libax650.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

static void check(enum ax650_result result, const char *what)
{
	if (result >= 0)
		return;
	fprintf(stderr, "%s: %s\n", what, ax650_last_error());
	exit(1);
}

static void fill(const struct ax650_binding *binding, size_t input, const char *path)
{
	uint8_t *data;
	size_t size;
	FILE *file = fopen(path, "rb");

	if (!file) {
		perror(path);
		exit(1);
	}
	check(ax650_binding_input(binding, input, &data, &size), path);
	if (fread(data, 1, size, file) != size || fgetc(file) != EOF) {
		fprintf(stderr, "%s: input %zu has %zu bytes\n", path, input, size);
		exit(1);
	}
	fclose(file);
}

int main(int argc, char **argv)
{
	struct ax650_card *card;
	struct ax650_session *session;
	struct ax650_model *model;
	struct ax650_binding *binding;
	struct ax650_run *run;
	struct ax650_run_times times;

	if (argc < 2) {
		fprintf(stderr, "usage: infer MODEL [INPUT ...]\n");
		return 2;
	}
	ax650_log_to_stderr();
	check(ax650_card_open(NULL, &card), "open");
	check(ax650_session_open(card, &session), "session");
	check(ax650_model_load_file(session, argv[1], &model), "load");
	check(ax650_binding_new(model, 0, &binding), "bind");
	for (int i = 2; i < argc; i++)
		fill(binding, i - 2, argv[i]);
	/* One request: inputs to the card, run, outputs back.  Its descriptor goes into any event loop. */
	check(ax650_run_start(binding, &run), "run");
	struct pollfd ended = { .fd = ax650_run_fd(run), .events = POLLIN };
	if (poll(&ended, 1, 60000) != 1)
		fprintf(stderr, "no end of the run for 60 s\n");
	check(ax650_run_wait(run, 1000, &times), "run");
	fprintf(stderr, "ran in %.3f ms, %.3f ms of it the model\n", times.total / 1e6, times.run / 1e6);
	for (size_t i = 0; i < ax650_model_outputs(model); i++) {
		struct ax650_tensor tensor;
		const uint8_t *data;
		size_t size;

		check(ax650_model_output(model, i, 0, &tensor), "output");
		check(ax650_binding_output(binding, i, &data, &size), "output");
		printf("%s %s %zu:", tensor.name, tensor.data_type, size);
		for (size_t at = 0; at < size && at < 32; at++)
			printf(" %02x", data[at]);
		printf("\n");
	}
	ax650_run_free(run);
	ax650_binding_free(binding);
	ax650_model_free(model);
	check(ax650_session_close(session, 10000), "close");
	ax650_card_close(card);
	return 0;
}
