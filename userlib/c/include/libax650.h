/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * libax650: inference and codec jobs on AX650N accelerator cards.
 *
 * Results: 0 (AX650_OK) or a positive number for success, a negative one (enum ax650_result) for an error, whose
 * text ax650_last_error() gives in the same thread.  A null pointer where an object is wanted is
 * AX650_ERR_INVALID, not a crash.
 *
 * Ownership: what a function gives through an argument named `out` belongs to the caller, who ends it with the
 * function named in the text; all of those take NULL and do nothing then.  Objects keep alive what they were made
 * from, so the order of the ends does not matter.  Strings and arrays that are returned belong to the object they were
 * asked of and live as long as it.
 *
 * Threads: any thread may call any function, but for an object's end, which must be its last use.
 *
 * Times are milliseconds, sizes bytes.  After fork() a child cannot use what its parent has opened: AX650_ERR_LOST_SESSION.
 *
 * Made from userlib/c/src by `AX650_UPDATE_HEADER=1 cargo test -p ax650-c`; do not edit.
 */

#ifndef LIBAX650_H
#define LIBAX650_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/**
 * State of a card.
 */
typedef enum ax650_card_state {
  /**
   * Not on the bus.
   */
  AX650_CARD_ABSENT = 0,
  /**
   * Reset; waits for firmware.
   */
  AX650_CARD_LOADER = 1,
  /**
   * Firmware is being sent, or starts.
   */
  AX650_CARD_BOOTING = 2,
  /**
   * Serves.
   */
  AX650_CARD_RUNNING = 3,
  /**
   * Serves, but its heartbeat is late.
   */
  AX650_CARD_SUSPECT = 4,
  /**
   * Failed; somebody has to order a boot.
   */
  AX650_CARD_DEAD = 5,
  /**
   * Is being reset.
   */
  AX650_CARD_RESETTING = 6,
  /**
   * The driver has left it for good.
   */
  AX650_CARD_GONE = 7,
  /**
   * A state of a newer driver.
   */
  AX650_CARD_OTHER = 8,
} ax650_card_state;

/**
 * A codec.
 */
typedef enum ax650_codec {
  /**
   * H.264.
   */
  AX650_H264 = 0,
  /**
   * H.265.
   */
  AX650_H265 = 1,
  /**
   * JPEG.
   */
  AX650_JPEG = 2,
} ax650_codec;

/**
 * An engine of the image processor.  They differ in speed and in what they can do.
 */
typedef enum ax650_image_engine {
  /**
   * The usual one.
   */
  AX650_ENGINE_VPP = 0,
  /**
   * TDP.
   */
  AX650_ENGINE_TDP = 1,
  /**
   * VGP.
   */
  AX650_ENGINE_VGP = 2,
} ax650_image_engine;

/**
 * What a function has come to.
 */
typedef enum ax650_result {
  /**
   * It went well.
   */
  AX650_OK = 0,
  /**
   * There is nothing yet: the time was over before.
   */
  AX650_NOTHING = 1,
  /**
   * The end of the stream: nothing follows.
   */
  AX650_END = 2,
  /**
   * There is no such card, or the card is gone.
   */
  AX650_ERR_NO_CARD = -1,
  /**
   * The caller may not do this.
   */
  AX650_ERR_PERMISSION = -2,
  /**
   * Busy or not ready: worth another try later.
   */
  AX650_ERR_BUSY = -3,
  /**
   * What was asked for did not happen in time.
   */
  AX650_ERR_TIMEOUT = -4,
  /**
   * The session has ended: the card was reset, or another process opened it.  A new one may do.
   */
  AX650_ERR_LOST_SESSION = -5,
  /**
   * Memory is used up, of the host or of the card.
   */
  AX650_ERR_NO_MEMORY = -6,
  /**
   * The card failed, or answered with an error; ax650_last_card_code() has its number.
   */
  AX650_ERR_CARD = -7,
  /**
   * Wrong arguments.
   */
  AX650_ERR_INVALID = -8,
  /**
   * Anything else: files.
   */
  AX650_ERR_OTHER = -9,
} ax650_result;

/**
 * Room for the inputs and outputs of a model, on host and card.  Made by ax650_binding_new(), ended by
 * ax650_binding_free().  For runs that overlap with filling and reading use two in turn.
 */
typedef struct ax650_binding ax650_binding;

/**
 * Host memory that the card reaches by DMA.  Made by ax650_buffer_alloc(), ended by ax650_buffer_free().
 */
typedef struct ax650_buffer ax650_buffer;

/**
 * A card.  Made by ax650_card_open(), ended by ax650_card_close().
 */
typedef struct ax650_card ax650_card;

/**
 * A decoder on the card.  Made by ax650_decoder_new(), ended by ax650_decoder_free().  One thread may send while another
 * receives; it has room for a few pictures only, so who sends without receiving waits in vain.
 */
typedef struct ax650_decoder ax650_decoder;

/**
 * An encoder on the card.  Made by ax650_encoder_new(), ended by ax650_encoder_free().  It takes a few pictures; then
 * packets must be received before the next.  There is one packet per picture, in order.
 */
typedef struct ax650_encoder ax650_encoder;

/**
 * A decoded picture in card memory.  Given by ax650_decoder_receive(), ended by ax650_frame_free(),
 * ax650_frame_download() or ax650_encoder_send_frame().
 */
typedef struct ax650_frame ax650_frame;

/**
 * An image in card memory, NV12 or BGR.  Made by ax650_image_nv12(), ax650_image_bgr(), ax650_image_of_frame() or
 * ax650_image_part(), ended by ax650_image_free().
 */
typedef struct ax650_image ax650_image;

/**
 * Memory on the card.  Made by ax650_memory_alloc(), ended by ax650_memory_free().
 */
typedef struct ax650_memory ax650_memory;

/**
 * A model on the card.  Made by ax650_model_load_file() or ax650_model_load(), ended by ax650_model_free().
 */
typedef struct ax650_model ax650_model;

/**
 * What an encoder has made of one picture.  Given by ax650_encoder_receive(), ended by ax650_packet_free().
 */
typedef struct ax650_packet ax650_packet;

/**
 * The image processor of a card.  Made by ax650_processor_new(), ended by ax650_processor_free().
 */
typedef struct ax650_processor ax650_processor;

/**
 * A run that is under way.  Made by ax650_run_start(), ended by ax650_run_free(), which does not end the run itself.
 */
typedef struct ax650_run ax650_run;

/**
 * A session: a process of its own on the card, which makes everything else.  Made by ax650_session_open(), ended by
 * ax650_session_free() or ax650_session_close().
 */
typedef struct ax650_session ax650_session;

/**
 * Cuts an elementary stream (Annex B) into packets.  Made by ax650_splitter_new(), ended by ax650_splitter_free().  For
 * one thread at a time.
 */
typedef struct ax650_splitter ax650_splitter;

/**
 * What is known of a card.  Strings end with a zero and are "" where nothing is known.
 */
typedef struct ax650_card_info {
  /**
   * State.
   */
  enum ax650_card_state state;
  /**
   * Number of the card's boot: grows by one at each.
   */
  uint32_t generation;
  /**
   * PCI address, such as "0000:01:00.0".
   */
  char pci[16];
  /**
   * Firmware version that the card reports.
   */
  char firmware[64];
  /**
   * Junction temperature in degrees Celsius; NaN if not known.
   */
  double temperature;
  /**
   * Load of the NPU, 0 to 1; NaN if not known.
   */
  double npu_load;
  /**
   * Memory for models, tensors and pictures, bytes; 0 if not known.
   */
  uint64_t memory_total;
  /**
   * How much of that is in use, bytes.
   */
  uint64_t memory_used;
} ax650_card_info;

/**
 * How a picture lies in memory: rows of luma, then rows of chroma, half as many, all of the same stride (NV12), or rows of
 * blue, green and red bytes.
 */
typedef struct ax650_layout {
  /**
   * Columns.
   */
  uint32_t width;
  /**
   * Rows.
   */
  uint32_t height;
  /**
   * Bytes from one row to the next.
   */
  uint32_t stride;
  /**
   * Bytes of the picture.
   */
  size_t size;
} ax650_layout;

/**
 * What an encoder is made for; what is 0 but for sizes and codec is chosen by the library.
 */
typedef struct ax650_encoder_config {
  /**
   * Size of this structure: sizeof(struct ax650_encoder_config).
   */
  size_t struct_size;
  /**
   * enum ax650_codec.
   */
  uint32_t codec;
  /**
   * Columns, even.
   */
  uint32_t width;
  /**
   * Rows, even.
   */
  uint32_t height;
  /**
   * Pictures per second; 0: 30.
   */
  float frame_rate;
  /**
   * Pictures from one intra picture to the next; 0: 4 seconds.
   */
  uint32_t gop;
  /**
   * Bits per second / 1000 that are always spent; 0: steady quality.
   */
  uint32_t bit_rate;
} ax650_encoder_config;

/**
 * A part of an image; `x` and `y` are even.
 */
typedef struct ax650_rect {
  /**
   * First column.
   */
  uint32_t x;
  /**
   * First row.
   */
  uint32_t y;
  /**
   * Columns.
   */
  uint32_t width;
  /**
   * Rows.
   */
  uint32_t height;
} ax650_rect;

/**
 * A tensor in one shape group.
 */
typedef struct ax650_tensor {
  /**
   * Name.
   */
  const char *name;
  /**
   * Type of the elements as NumPy calls it, such as "float32" and "bfloat16"; "" if it is not known.
   */
  const char *data_type;
  /**
   * Dimensions, outermost first.
   */
  const uint32_t *dims;
  /**
   * How many dimensions.
   */
  size_t rank;
  /**
   * Bytes of the tensor, which may be more than the elements need.
   */
  size_t size;
} ax650_tensor;

/**
 * Times of a run's stages, nanoseconds.
 */
typedef struct ax650_run_times {
  /**
   * From submit until the first message was sent.
   */
  uint64_t queue;
  /**
   * Inputs to the card.
   */
  uint64_t copy_in;
  /**
   * The call: from its message to its answer.
   */
  uint64_t run;
  /**
   * Outputs from the card.
   */
  uint64_t copy_out;
  /**
   * From the end until the waiting thread went on.
   */
  uint64_t wake;
  /**
   * From submit until the waiting thread went on.
   */
  uint64_t total;
} ax650_run_times;

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/**
 * Makes a buffer of `size` bytes, zeroed.
 *
 * @return AX650_ERR_NO_MEMORY; AX650_ERR_BUSY: more than the driver gives to one process or user.
 */
enum ax650_result ax650_buffer_alloc(const struct ax650_session *session,
                                     size_t size,
                                     struct ax650_buffer **out);

/**
 * Ends a buffer.  Its memory, which ax650_buffer_data() gave, is gone when no job uses it any more.
 */
void ax650_buffer_free(struct ax650_buffer *buffer);

/**
 * Gives the bytes of a buffer, in place, until ax650_buffer_free().  They are not to be looked at, nor written to, while
 * a call that was given the buffer is under way in another thread.
 *
 * @return AX650_ERR_BUSY: such a call is under way; AX650_ERR_CARD: a copy into the buffer was broken off, and its bytes
 * can never be looked at again.
 */
enum ax650_result ax650_buffer_data(const struct ax650_buffer *buffer,
                                    uint8_t **data,
                                    size_t *size);

/**
 * Allocates `size` bytes on the card.
 *
 * @return AX650_ERR_NO_MEMORY.
 */
enum ax650_result ax650_memory_alloc(const struct ax650_session *session,
                                     uint64_t size,
                                     struct ax650_memory **out);

/**
 * Ends memory on the card; it is given back when no job uses it any more.
 */
void ax650_memory_free(struct ax650_memory *memory);

/**
 * Copies `size` bytes at `from` of a buffer to `to` in card memory, and waits for it.
 *
 * @return AX650_ERR_INVALID: not within both.
 */
enum ax650_result ax650_memory_write(const struct ax650_memory *memory,
                                     uint64_t to,
                                     const struct ax650_buffer *buffer,
                                     size_t from,
                                     size_t size);

/**
 * Copies `size` bytes at `from` in card memory to `to` of a buffer, and waits for it.
 *
 * @return AX650_ERR_INVALID: not within both.
 */
enum ax650_result ax650_memory_read(const struct ax650_memory *memory,
                                    uint64_t from,
                                    const struct ax650_buffer *buffer,
                                    size_t to,
                                    size_t size);

/**
 * Opens a card: `name` is its index ("0"), its node ("/dev/ax650-0") or its PCI address ("01:00.0").  NULL: the one
 * that AX650_DEVICE names, else the first that there is.
 *
 * @return AX650_ERR_NO_CARD, AX650_ERR_PERMISSION, AX650_ERR_INVALID for a name that is none.
 */
enum ax650_result ax650_card_open(const char *name,
                                  struct ax650_card **out);

/**
 * Ends a handle of a card.  Sessions made with it go on.
 */
void ax650_card_close(struct ax650_card *card);

/**
 * Returns how many cards there are: nodes of the driver, whether they can be opened or not.
 */
size_t ax650_card_count(void);

/**
 * Asks what is known of a card.
 */
enum ax650_result ax650_card_get_info(const struct ax650_card *card, struct ax650_card_info *out);

/**
 * Boots a card unless it runs, and waits until it does, for `timeout_ms` at most.
 *
 * @return AX650_ERR_PERMISSION: only the administrator may, unless it is booting already; AX650_ERR_TIMEOUT; AX650_ERR_CARD.
 */
enum ax650_result ax650_card_boot(const struct ax650_card *card,
                                  uint32_t timeout_ms);

/**
 * Makes a decoder of enum ax650_codec for pictures of up to `width` x `height`.
 *
 * @return AX650_ERR_INVALID: impossible sizes; AX650_ERR_CARD: the card has no decoder left.
 */
enum ax650_result ax650_decoder_new(const struct ax650_session *session,
                                    uint32_t codec,
                                    uint32_t width,
                                    uint32_t height,
                                    struct ax650_decoder **out);

/**
 * Ends a decoder.
 */
void ax650_decoder_free(struct ax650_decoder *decoder);

/**
 * Sends one packet: all NAL units of one picture, with start codes, or one JPEG picture.  `pts` comes back with the
 * picture.
 *
 * @return AX650_ERR_INVALID: empty, or longer than the driver takes; AX650_ERR_CARD: nothing was taken for 20 s.
 */
enum ax650_result ax650_decoder_send(const struct ax650_decoder *decoder,
                                     const uint8_t *packet,
                                     size_t size,
                                     uint64_t pts);

/**
 * Tells a decoder that nothing follows: it gives out the pictures it still has, then AX650_END.
 */
enum ax650_result ax650_decoder_finish(const struct ax650_decoder *decoder);

/**
 * Waits for a picture, for `timeout_ms` at most.
 *
 * @return AX650_NOTHING: none yet; AX650_END: no more will come.
 */
enum ax650_result ax650_decoder_receive(const struct ax650_decoder *decoder,
                                        uint32_t timeout_ms,
                                        struct ax650_frame **out);

/**
 * Ends a picture: its memory is the decoder's again.
 */
void ax650_frame_free(struct ax650_frame *frame);

/**
 * Tells how a picture lies in memory, and its `pts`; both may be NULL.
 */
enum ax650_result ax650_frame_get(const struct ax650_frame *frame,
                                  struct ax650_layout *layout,
                                  uint64_t *pts);

/**
 * Copies a picture to the beginning of a buffer and ends it, whatever comes of it.
 *
 * @return AX650_ERR_INVALID: the buffer is too small.
 */
enum ax650_result ax650_frame_download(struct ax650_frame *frame, const struct ax650_buffer *buffer);

/**
 * Makes an encoder.
 *
 * @return AX650_ERR_INVALID: impossible settings; AX650_ERR_CARD: the card does not do that, or has no encoder left.
 */
enum ax650_result ax650_encoder_new(const struct ax650_session *session,
                                    const struct ax650_encoder_config *config,
                                    struct ax650_encoder **out);

/**
 * Ends an encoder, with the pictures that are in it.
 */
void ax650_encoder_free(struct ax650_encoder *encoder);

/**
 * Tells how pictures must lie in a buffer for ax650_encoder_send().
 */
enum ax650_result ax650_encoder_layout(const struct ax650_encoder *encoder, struct ax650_layout *out);

/**
 * Returns how many pictures an encoder can take now; 0 for NULL.
 */
size_t ax650_encoder_room(const struct ax650_encoder *encoder);

/**
 * Sends the picture at the beginning of a buffer; `pts` comes back with its packet.
 *
 * @return AX650_ERR_INVALID: the buffer is too small, or the encoder is full; AX650_ERR_CARD: nothing was taken for 20 s.
 */
enum ax650_result ax650_encoder_send(const struct ax650_encoder *encoder,
                                     const struct ax650_buffer *picture,
                                     uint64_t pts);

/**
 * Sends a decoded picture, which stays where it is on the card, and ends its handle, whatever comes of it.
 *
 * @return As ax650_encoder_send(); AX650_ERR_INVALID also for a picture of another session or size.
 */
enum ax650_result ax650_encoder_send_frame(const struct ax650_encoder *encoder, struct ax650_frame *frame);

/**
 * Sends an image, NV12, which stays where it is on the card and whose handle stays the caller's.  It is not to be written to
 * until its packet was received.
 *
 * @return As ax650_encoder_send(); AX650_ERR_INVALID also for an image of another session, size or format, or a part.
 */
enum ax650_result ax650_encoder_send_image(const struct ax650_encoder *encoder,
                                           const struct ax650_image *image,
                                           uint64_t pts);

/**
 * Waits for a packet, for `timeout_ms` at most.
 *
 * @return AX650_NOTHING: none yet.
 */
enum ax650_result ax650_encoder_receive(const struct ax650_encoder *encoder,
                                        uint32_t timeout_ms,
                                        struct ax650_packet **out);

/**
 * Gives the bytes of a packet, and the `pts` of its picture and whether it is an intra picture; all may be NULL.
 */
enum ax650_result ax650_packet_get(const struct ax650_packet *packet,
                                   const uint8_t **data,
                                   size_t *size,
                                   uint64_t *pts,
                                   bool *key);

/**
 * Ends a packet.
 */
void ax650_packet_free(struct ax650_packet *packet);

/**
 * Starts the image processor, with one engine of enum ax650_image_engine.
 *
 * @return AX650_ERR_INVALID: no such engine; AX650_ERR_CARD: the card has none, or it does not do what it is asked to.
 */
enum ax650_result ax650_processor_new(const struct ax650_session *session,
                                      uint32_t engine,
                                      struct ax650_processor **out);

/**
 * Ends a handle of the image processor.  Images made with it go on.
 */
void ax650_processor_free(struct ax650_processor *processor);

/**
 * Makes an NV12 picture of `width` x `height` that is grey in all places: `grey` is its luma.
 *
 * @return AX650_ERR_INVALID: impossible sizes; AX650_ERR_NO_MEMORY.
 */
enum ax650_result ax650_image_nv12(const struct ax650_processor *processor,
                                   uint32_t width,
                                   uint32_t height,
                                   uint8_t grey,
                                   struct ax650_image **out);

/**
 * Makes an image of `width` x `height` of blue, green and red bytes without gaps, as models take them.
 *
 * @return AX650_ERR_INVALID: impossible sizes; AX650_ERR_NO_MEMORY.
 */
enum ax650_result ax650_image_bgr(const struct ax650_processor *processor,
                                  uint32_t width,
                                  uint32_t height,
                                  struct ax650_image **out);

/**
 * Makes a handle of a decoded picture, which stays the caller's and may be ended or sent to an encoder at any time: its
 * memory is the decoder's again when this has ended, too.
 */
enum ax650_result ax650_image_of_frame(const struct ax650_frame *frame,
                                       struct ax650_image **out);

/**
 * Makes a handle of a part of an NV12 picture, to be written by ax650_processor_resize(): the rest becomes a border.
 *
 * @return AX650_ERR_INVALID: not NV12, or no such part.
 */
enum ax650_result ax650_image_part(const struct ax650_image *image,
                                   const struct ax650_rect *part,
                                   struct ax650_image **out);

/**
 * Ends a handle of an image; its memory is given back when nothing uses it any more.
 */
void ax650_image_free(struct ax650_image *image);

/**
 * Tells how an image lies in host memory, after ax650_image_download(), and for ax650_image_upload().  Pixels of BGR images
 * have three bytes.
 */
enum ax650_result ax650_image_layout(const struct ax650_image *image,
                                     struct ax650_layout *out);

/**
 * Copies the image at the beginning of a buffer into card memory, and waits for it.
 *
 * @return AX650_ERR_INVALID: the buffer is too small, or the image is a decoder's or a part of another.
 */
enum ax650_result ax650_image_upload(const struct ax650_image *image, const struct ax650_buffer *buffer);

/**
 * Copies an image to the beginning of a buffer, and waits for it.
 *
 * @return AX650_ERR_INVALID: the buffer is too small.
 */
enum ax650_result ax650_image_download(const struct ax650_image *image, const struct ax650_buffer *buffer);

/**
 * Scales `crop` of `source`, or all of it for NULL, to the size of `target`, and waits for it.  Both are NV12.
 *
 * @return AX650_ERR_INVALID: images of other formats or of another session, no such part; AX650_ERR_CARD.
 */
enum ax650_result ax650_processor_resize(const struct ax650_processor *processor,
                                         const struct ax650_image *source,
                                         const struct ax650_rect *crop,
                                         const struct ax650_image *target);

/**
 * Converts `source`, which is NV12, to `target`, which is BGR and of the same size, and waits for it.
 *
 * @return As ax650_processor_resize().
 */
enum ax650_result ax650_processor_convert(const struct ax650_processor *processor,
                                          const struct ax650_image *source,
                                          const struct ax650_image *target);

/**
 * Loads a model from a file.
 *
 * @return AX650_ERR_OTHER: the file; AX650_ERR_CARD: it is no model that the card can run, ax650_last_error() says why.
 */
enum ax650_result ax650_model_load_file(const struct ax650_session *session,
                                        const char *path,
                                        struct ax650_model **out);

/**
 * Loads a model from memory.
 *
 * @return As ax650_model_load_file().
 */
enum ax650_result ax650_model_load(const struct ax650_session *session,
                                   const uint8_t *data,
                                   size_t size,
                                   struct ax650_model **out);

/**
 * Ends a model; the card forgets it when nothing uses it any more.
 */
void ax650_model_free(struct ax650_model *model);

/**
 * Returns how many inputs a model has; 0 for NULL.
 */
size_t ax650_model_inputs(const struct ax650_model *model);

/**
 * Returns how many outputs a model has; 0 for NULL.
 */
size_t ax650_model_outputs(const struct ax650_model *model);

/**
 * Returns how many shape groups a model has; 0 for NULL.
 */
size_t ax650_model_groups(const struct ax650_model *model);

/**
 * Describes an input of a model, by its number from 0, in a shape group.
 *
 * @return AX650_ERR_INVALID: there is no such one.
 */
enum ax650_result ax650_model_input(const struct ax650_model *model,
                                    size_t index,
                                    size_t group,
                                    struct ax650_tensor *out);

/**
 * Describes an output of a model, by its number from 0, in a shape group.
 *
 * @return AX650_ERR_INVALID: there is no such one.
 */
enum ax650_result ax650_model_output(const struct ax650_model *model,
                                     size_t index,
                                     size_t group,
                                     struct ax650_tensor *out);

/**
 * Makes room for one run at a time of a model in a shape group; most models have only group 0.
 *
 * @return AX650_ERR_INVALID: there is no such group; AX650_ERR_NO_MEMORY.
 */
enum ax650_result ax650_binding_new(const struct ax650_model *model,
                                    size_t group,
                                    struct ax650_binding **out);

/**
 * Ends a binding, and with it the memory of its tensors; a run that is under way ends first.
 */
void ax650_binding_free(struct ax650_binding *binding);

/**
 * Ends runs with AX650_ERR_TIMEOUT when they take longer; 0: the driver's default.  Not while a run is under way.
 */
enum ax650_result ax650_binding_set_timeout(struct ax650_binding *binding,
                                            uint32_t timeout_ms);

/**
 * Gives the bytes of an input, to be filled in place, until ax650_binding_free().  They are not to be written to from
 * the start of a run to its end.
 *
 * @return AX650_ERR_INVALID: there is no such one; AX650_ERR_BUSY: a run is under way.
 */
enum ax650_result ax650_binding_input(const struct ax650_binding *binding,
                                      size_t index,
                                      uint8_t **data,
                                      size_t *size);

/**
 * Gives the bytes of an output, in place, until ax650_binding_free().  They are not to be looked at from the start of a
 * run to its end.
 *
 * @return AX650_ERR_INVALID: there is no such one; AX650_ERR_BUSY: a run is under way; AX650_ERR_CARD: a run was broken
 * off while its outputs were copied.
 */
enum ax650_result ax650_binding_output(const struct ax650_binding *binding,
                                       size_t index,
                                       const uint8_t **data,
                                       size_t *size);

/**
 * Returns the text of the last error of this thread, one line; "" before the first.  It lives until the next error of
 * this thread.
 */
const char *ax650_last_error(void);

/**
 * Returns the number that the card gave with the last error of this thread; 0 if it gave none.
 */
uint32_t ax650_last_card_code(void);

/**
 * Returns the version of the library, such as "0.1.0".
 */
const char *ax650_version(void);

/**
 * Writes what the library does to standard error, as the environment variable AX650_LOG says: "warn", "info", "debug".
 * Without it nothing is written.
 */
void ax650_log_to_stderr(void);

/**
 * Runs a model and waits for its outputs.  `times` may be NULL.
 *
 * @return AX650_ERR_CARD: the card cannot run it; AX650_ERR_TIMEOUT; AX650_ERR_BUSY: another run of the binding.
 */
enum ax650_result ax650_binding_run(const struct ax650_binding *binding,
                                    struct ax650_run_times *times);

/**
 * Starts a run.
 *
 * @return AX650_ERR_BUSY: another run of the binding, or too many jobs.
 */
enum ax650_result ax650_run_start(const struct ax650_binding *binding, struct ax650_run **out);

/**
 * Ends the handle of a run.  A run that is under way goes on, and its binding is busy until it has ended.
 */
void ax650_run_free(struct ax650_run *run);

/**
 * Returns a file descriptor to poll(): readable from the end of the run on.  It is the run's: do not read or close it.
 * -1 for NULL.
 */
int32_t ax650_run_fd(const struct ax650_run *run);

/**
 * Waits for the end of a run, for `timeout_ms` at most; 0 only looks.  `times` may be NULL.  The end is told once.
 *
 * @return AX650_NOTHING: it has not ended yet; as ax650_binding_run().
 */
enum ax650_result ax650_run_wait(const struct ax650_run *run,
                                 uint32_t timeout_ms,
                                 struct ax650_run_times *times);

/**
 * Opens a session on a card.
 *
 * @return AX650_ERR_BUSY: the card is not running (yet), or as many sessions are open as can be.
 */
enum ax650_result ax650_session_open(const struct ax650_card *card, struct ax650_session **out);

/**
 * Ends a handle of a session, without waiting.  The session ends with the last object made from it.
 */
void ax650_session_free(struct ax650_session *session);

/**
 * Ends a session, waits until the card has given everything back, for `timeout_ms` at most, and tells how that went.
 * The handle is gone in any case.
 *
 * @return AX650_ERR_BUSY: there are objects made from it that keep it going.
 */
enum ax650_result ax650_session_close(struct ax650_session *session,
                                      uint32_t timeout_ms);

/**
 * Makes a splitter for a stream of enum ax650_codec.
 */
enum ax650_result ax650_splitter_new(uint32_t codec, struct ax650_splitter **out);

/**
 * Ends a splitter.
 */
void ax650_splitter_free(struct ax650_splitter *splitter);

/**
 * Gives a splitter more of the stream, of which it keeps a copy; 0 bytes say that nothing follows.
 */
enum ax650_result ax650_splitter_push(struct ax650_splitter *splitter, const uint8_t *data, size_t size);

/**
 * Takes the next packet, all NAL units of one picture; it lives until the next call with this splitter.
 *
 * @return AX650_NOTHING: more of the stream is wanted; AX650_END: that was all.
 */
enum ax650_result ax650_splitter_next(struct ax650_splitter *splitter, const uint8_t **data, size_t *size);

/**
 * Tells how large the pictures of a stream are, as its parameter sets say.
 *
 * @return AX650_NOTHING: none of them has come yet.
 */
enum ax650_result ax650_splitter_picture_size(const struct ax650_splitter *splitter,
                                              uint32_t *width,
                                              uint32_t *height);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* LIBAX650_H */
