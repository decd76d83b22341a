/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Scales a picture, or a part of it, on the first card and converts it to what models take: blue, green and red bytes.
 *
 *     scale IN.nv12 COLUMNS ROWS OUT.bgr COLUMNS ROWS [X Y COLUMNS ROWS]
 *
 *     cc scale.c $(pkg-config --cflags --libs libax650) -o scale
 */
#include <libax650.h>
#include <stdio.h>
#include <stdlib.h>

static void check(enum ax650_result result, const char *what)
{
	if (result >= 0)
		return;
	fprintf(stderr, "%s: %s\n", what, ax650_last_error());
	exit(1);
}

static FILE *open_file(const char *path, const char *mode)
{
	FILE *file = fopen(path, mode);

	if (!file) {
		perror(path);
		exit(1);
	}
	return file;
}

static uint32_t number(const char *text)
{
	return strtoul(text, NULL, 10);
}

/* Reads a picture without anything between its rows into a buffer, where the card wants them further apart. */
static void read_picture(const char *path, const struct ax650_layout *layout, uint8_t *data)
{
	FILE *file = open_file(path, "rb");
	uint32_t rows = layout->height + (layout->height + 1) / 2;

	for (uint32_t row = 0; row < rows; row++)
		if (fread(data + (size_t)row * layout->stride, 1, layout->width, file) != layout->width) {
			fprintf(stderr, "%s: not %u rows of %u bytes\n", path, rows, layout->width);
			exit(1);
		}
	fclose(file);
}

int main(int argc, char **argv)
{
	struct ax650_card *card;
	struct ax650_session *session;
	struct ax650_processor *processor;
	struct ax650_image *source, *scaled, *pixels;
	struct ax650_buffer *buffer;
	struct ax650_layout in, out;
	struct ax650_rect crop;
	uint8_t *data;
	size_t size;

	if (argc != 7 && argc != 11) {
		fprintf(stderr, "usage: scale IN.nv12 COLUMNS ROWS OUT.bgr COLUMNS ROWS [X Y COLUMNS ROWS]\n");
		return 2;
	}
	if (argc == 11) {
		crop.x = number(argv[7]), crop.y = number(argv[8]);
		crop.width = number(argv[9]), crop.height = number(argv[10]);
	}
	ax650_log_to_stderr();
	check(ax650_card_open(NULL, &card), "open");
	check(ax650_session_open(card, &session), "session");
	check(ax650_processor_new(session, AX650_ENGINE_VPP, &processor), "image processor");
	check(ax650_image_nv12(processor, number(argv[2]), number(argv[3]), 0, &source), "source");
	check(ax650_image_nv12(processor, number(argv[5]), number(argv[6]), 0, &scaled), "target");
	check(ax650_image_bgr(processor, number(argv[5]), number(argv[6]), &pixels), "pixels");
	check(ax650_image_layout(source, &in), "source");
	check(ax650_image_layout(pixels, &out), "pixels");
	check(ax650_buffer_alloc(session, in.size > out.size ? in.size : out.size, &buffer), "buffer");
	check(ax650_buffer_data(buffer, &data, &size), "buffer");
	read_picture(argv[1], &in, data);
	check(ax650_image_upload(source, buffer), "upload");
	check(ax650_processor_resize(processor, source, argc == 11 ? &crop : NULL, scaled), "scale");
	check(ax650_processor_convert(processor, scaled, pixels), "convert");
	check(ax650_image_download(pixels, buffer), "download");
	FILE *file = open_file(argv[4], "wb");
	if (fwrite(data, 1, out.size, file) != out.size || fclose(file) != 0) {
		perror(argv[4]);
		return 1;
	}
	ax650_buffer_free(buffer);
	ax650_image_free(pixels);
	ax650_image_free(scaled);
	ax650_image_free(source);
	ax650_processor_free(processor);
	check(ax650_session_close(session, 10000), "close");
	ax650_card_close(card);
	return 0;
}
