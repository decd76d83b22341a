/* SPDX-License-Identifier: (GPL-2.0 WITH Linux-syscall-note) OR MIT */
/*
 * ioctl interface of the ax650 driver: AX650N PCIe accelerator cards.
 *
 * One character device per card, /dev/ax650-N, N from 0.  All fields are host endian, all structures
 * have the same layout for 32 and 64 bit callers.
 *
 * Versions.  The kernel dispatches on the number of a request; the size in the request's code is
 * that of the caller's structure.  A caller older than the kernel passes a shorter structure: the
 * fields it lacks count as 0 and are not written.  A newer caller passes a longer one: the bytes that
 * the kernel does not know must be 0 (else E2BIG) and come back as they were.  The structures grow
 * at their end only.  Arrays carry the size of their element for the same reason.
 *
 * Reserved fields and unknown flag bits must be 0 (else EINVAL).
 *
 * Times are absolute, in nanoseconds of CLOCK_MONOTONIC.
 *
 * Errors common to all requests: ENODEV the card is gone (unplugged, driver unbound); ENOTTY no such
 * request; EFAULT bad pointer; EINVAL bad field; E2BIG see above; ENOMEM no memory; EINTR/restart a
 * signal arrived.  Those of each request are with its number, enum ax650_request.
 *
 * Rust has these declarations from here too: uapi/ax650.rs is made of this file, with its comments.
 */
#ifndef _UAPI_AX650_H
#define _UAPI_AX650_H

#include <linux/ioctl.h>
#include <linux/types.h>

/**
 * define AX650_ABI_VERSION - version of this interface, for display
 */
#define AX650_ABI_VERSION 1

/**
 * define AX650_IOC_TYPE - type byte of all requests
 */
#define AX650_IOC_TYPE 0xA6

/* ---- AX650_IOC_QUERY: read-only facts, no session needed ---------------------------------- */

/**
 * enum ax650_query_kind - what to ask for
 */
enum ax650_query_kind {
	/** @AX650_QUERY_CARD: one struct ax650_card_info */
	AX650_QUERY_CARD = 1,
	/** @AX650_QUERY_TELEMETRY: one struct ax650_telemetry */
	AX650_QUERY_TELEMETRY = 2,
	/** @AX650_QUERY_COUNTERS: one struct ax650_counters */
	AX650_QUERY_COUNTERS = 3,
	/** @AX650_QUERY_CLIENTS: an array of struct ax650_client */
	AX650_QUERY_CLIENTS = 4,
	/** @AX650_QUERY_LIMITS: one struct ax650_limits */
	AX650_QUERY_LIMITS = 5,
};

/**
 * struct ax650_query - ask for one kind of information
 */
struct ax650_query {
	/** @kind: in: enum ax650_query_kind (unknown: EINVAL) */
	__u32 kind;
	/**
	 * @size: in: bytes at @data; out: bytes the kernel has to give.  min(in, out) bytes are written
	 */
	__u32 size;
	/** @data: in: address to write to; may be 0 when @size is 0 */
	__u64 data;
	/** @flags: must be 0 */
	__u32 flags;
	/** @reserved: must be 0 */
	__u32 reserved;
};

/**
 * enum ax650_card_state - state of a card
 */
enum ax650_card_state {
	/** @AX650_STATE_ABSENT: not yet looked at */
	AX650_STATE_ABSENT = 0,
	/** @AX650_STATE_LOADER: reset, waiting for firmware */
	AX650_STATE_LOADER = 1,
	/** @AX650_STATE_BOOTING: firmware is being sent */
	AX650_STATE_BOOTING = 2,
	/** @AX650_STATE_HANDSHAKE: firmware started, rings being set up */
	AX650_STATE_HANDSHAKE = 3,
	/** @AX650_STATE_RUNNING: sessions can be made */
	AX650_STATE_RUNNING = 4,
	/** @AX650_STATE_SUSPECT: missed a heartbeat; being probed */
	AX650_STATE_SUSPECT = 5,
	/** @AX650_STATE_DEAD: boot or recovery failed, see last_error */
	AX650_STATE_DEAD = 6,
	/** @AX650_STATE_RESETTING: a reset is under way */
	AX650_STATE_RESETTING = 7,
	/** @AX650_STATE_GONE: does not answer on the bus; is booted if it does again */
	AX650_STATE_GONE = 8,
};

/**
 * struct ax650_card_info - identity and state of a card
 */
struct ax650_card_info {
	/** @abi_version: AX650_ABI_VERSION of the driver */
	__u32 abi_version;
	/** @state: enum ax650_card_state */
	__u32 state;
	/** @generation: grows by one at every boot of the card; handles of older ones answer ESTALE */
	__u32 generation;
	/** @last_error: negative errno of the last failed boot or recovery, 0 if none */
	__s32 last_error;
	/** @pci_domain: PCI domain */
	__u32 pci_domain;
	/** @pci_bus: PCI bus number */
	__u16 pci_bus;
	/** @pci_devfn: PCI device << 3 | function */
	__u16 pci_devfn;
	/** @vendor: PCI vendor id */
	__u16 vendor;
	/** @device: PCI device id */
	__u16 device;
	/** @subsystem_vendor: PCI subsystem vendor id */
	__u16 subsystem_vendor;
	/** @subsystem_device: PCI subsystem device id */
	__u16 subsystem_device;
	/** @link_speed_mtps: current link speed, MT/s (5000 = 5 GT/s), 0 if not known */
	__u32 link_speed_mtps;
	/** @link_width: current link width, lanes */
	__u32 link_width;
	/** @card_id: id the card calls itself in its heartbeat; informative */
	__u32 card_id;
	/** @heartbeat_interval_ms: interval the card announced */
	__u32 heartbeat_interval_ms;
	/** @heartbeat_age_ns: time since the last accepted heartbeat, ~0 if there was none */
	__u64 heartbeat_age_ns;
	/** @boot_bytes_done: bytes of firmware sent in the present or last boot */
	__u64 boot_bytes_done;
	/** @boot_bytes_total: bytes of firmware to be sent, 0 before the first boot */
	__u64 boot_bytes_total;
	/** @boot_time_ns: duration of the last boot from reset to RUNNING */
	__u64 boot_time_ns;
	/**
	 * @boot_reason: bits latched by the chip (0 normal, bit 0 software reset, 1 thermal, 3, 4 watchdog)
	 */
	__u32 boot_reason;
	/** @reserved: always 0 */
	__u32 reserved;
	/** @firmware_version: what the card reports, NUL padded */
	__u8 firmware_version[64];
	/** @firmware_file: version in the header of the container that was sent, NUL padded */
	__u8 firmware_file[32];
	/** @firmware_sha256: SHA-256 of that container */
	__u8 firmware_sha256[32];
	/** @chip: chip name the card reports, NUL padded */
	__u8 chip[32];
	/** @uid: unique id of the chip, 0 if not known */
	__u64 uid;
};

/* Bits of ax650_telemetry.valid: the card answered, and the answer could be read. */

/**
 * define AX650_TELEMETRY_TEMPERATURE - @temperature_mc is valid
 */
#define AX650_TELEMETRY_TEMPERATURE (1ULL << 0)

/**
 * define AX650_TELEMETRY_CPU - @cpu_load is valid
 */
#define AX650_TELEMETRY_CPU (1ULL << 1)

/**
 * define AX650_TELEMETRY_NPU - @npu_load is valid
 */
#define AX650_TELEMETRY_NPU (1ULL << 2)

/**
 * define AX650_TELEMETRY_MEMORY - @memory_total and @memory_free are valid
 */
#define AX650_TELEMETRY_MEMORY (1ULL << 3)

/**
 * define AX650_TELEMETRY_CMM - @cmm_total and @cmm_used are valid
 */
#define AX650_TELEMETRY_CMM (1ULL << 4)

/**
 * struct ax650_telemetry - what the card says of itself, asked by the driver's own session
 */
struct ax650_telemetry {
	/** @valid: AX650_TELEMETRY_ bits; fields without their bit are 0 */
	__u64 valid;
	/** @age_ns: age of the values (they are kept for up to a second) */
	__u64 age_ns;
	/** @temperature_mc: junction temperature, 1/1000 degree Celsius */
	__s32 temperature_mc;
	/** @cpu_load: load of the card's CPUs, 1/100 percent */
	__u32 cpu_load;
	/** @npu_load: load of the NPU, 1/100 percent */
	__u32 npu_load;
	/** @reserved: always 0 */
	__u32 reserved;
	/** @memory_total: memory of the card's Linux, bytes */
	__u64 memory_total;
	/** @memory_free: free memory of it, bytes */
	__u64 memory_free;
	/** @cmm_total: contiguous memory for models, tensors and pictures, bytes */
	__u64 cmm_total;
	/** @cmm_used: contiguous memory in use, bytes */
	__u64 cmm_used;
};

/**
 * struct ax650_counters - what happened on this card since the driver was bound
 */
struct ax650_counters {
	/** @messages_sent: messages put into the host to card ring */
	__u64 messages_sent;
	/** @messages_received: messages taken from the card to host ring */
	__u64 messages_received;
	/** @doorbells: doorbells rung */
	__u64 doorbells;
	/** @doorbells_recovered: doorbells rung again because the card had not moved */
	__u64 doorbells_recovered;
	/** @doorbell_busy: times no mailbox slot was to be had */
	__u64 doorbell_busy;
	/** @interrupts: message interrupts */
	__u64 interrupts;
	/** @interrupts_recovered: messages found by the timer, not by an interrupt */
	__u64 interrupts_recovered;
	/** @mmio_reads: register reads */
	__u64 mmio_reads;
	/** @mmio_writes: register writes */
	__u64 mmio_writes;
	/** @bytes_to_card: payload bytes moved by card DMA, host to card */
	__u64 bytes_to_card;
	/** @bytes_from_card: payload bytes moved by card DMA, card to host */
	__u64 bytes_from_card;
	/** @ring_full: times the host to card ring was full */
	__u64 ring_full;
	/** @bad_messages: messages with a bad header or an impossible length */
	__u64 bad_messages;
	/** @ring_corrupt: times the card's ring pointers made no sense */
	__u64 ring_corrupt;
	/** @dropped_no_port: messages for a port that nobody owns */
	__u64 dropped_no_port;
	/** @dropped_overflow: messages dropped because their receiver was full */
	__u64 dropped_overflow;
	/** @late_replies: answers that nobody waited for any more */
	__u64 late_replies;
	/** @heartbeats: heartbeats accepted */
	__u64 heartbeats;
	/** @heartbeats_missed: times the heartbeat was late */
	__u64 heartbeats_missed;
	/** @pings: latency echoes sent because of that */
	__u64 pings;
	/** @canaries: built-in test calls made because of that */
	__u64 canaries;
	/** @session_resets: sessions closed by the driver because the card stopped serving them */
	__u64 session_resets;
	/** @resets: chip resets */
	__u64 resets;
	/** @boots: completed boots */
	__u64 boots;
	/** @boot_failures: failed boots */
	__u64 boot_failures;
	/** @jobs: jobs completed */
	__u64 jobs;
	/** @jobs_failed: jobs completed with an error */
	__u64 jobs_failed;
	/** @quarantined_bytes: memory kept back, now, because the card may still write to it */
	__u64 quarantined_bytes;
	/** @buffer_bytes: memory of all buffers, now */
	__u64 buffer_bytes;
};

/**
 * enum ax650_interface - way by which a program uses the card
 */
enum ax650_interface {
	/** @AX650_INTERFACE_NATIVE: the ioctls of this header, on /dev/ax650-N */
	AX650_INTERFACE_NATIVE = 0,
	/** @AX650_INTERFACE_AXCL: the device nodes for programs of AXCL */
	AX650_INTERFACE_AXCL = 1,
};

/**
 * struct ax650_client - one open session, or one program of AXCL
 */
struct ax650_client {
	/** @pid: process that made it, in the caller's pid namespace, 0 if not visible there */
	__s32 pid;
	/** @session: number of it on the card (first port), not a handle */
	__u32 session;
	/** @buffer_bytes: memory of the file's buffers; of the process's, for AXCL */
	__u64 buffer_bytes;
	/** @jobs: jobs completed; 0 for AXCL */
	__u64 jobs;
	/** @bytes_to_card: payload moved to the card */
	__u64 bytes_to_card;
	/** @bytes_from_card: payload moved from the card */
	__u64 bytes_from_card;
	/** @command: name of the process, NUL padded */
	__u8 command[16];
	/** @interface: enum ax650_interface, by which it uses the card */
	__u32 interface;
	/** @reserved: always 0 */
	__u32 reserved;
};

/**
 * struct ax650_limits - what this driver allows
 */
struct ax650_limits {
	/** @max_sessions_per_card: sessions at a time on a card */
	__u32 max_sessions_per_card;
	/** @max_sessions_per_file: sessions of one open file */
	__u32 max_sessions_per_file;
	/** @max_buffers_per_file: buffers of one open file */
	__u32 max_buffers_per_file;
	/** @max_jobs_per_session: jobs submitted and not yet waited for */
	__u32 max_jobs_per_session;
	/** @max_steps_per_job: steps in one SUBMIT */
	__u32 max_steps_per_job;
	/** @max_frame_bytes: longest request or answer frame, header included */
	__u32 max_frame_bytes;
	/** @max_buffer_bytes: largest single buffer */
	__u64 max_buffer_bytes;
	/** @max_bytes_per_file: memory of all buffers of one open file */
	__u64 max_bytes_per_file;
	/** @max_bytes_per_card: memory of all buffers of one card */
	__u64 max_bytes_per_card;
	/** @default_timeout_ns: time for a job that names none */
	__u64 default_timeout_ns;
	/**
	 * @max_bytes_per_user: memory of all buffers and long frames of a user on one card, without
	 * CAP_SYS_RESOURCE
	 */
	__u64 max_bytes_per_user;
	/**
	 * @max_sessions_per_user: sessions at a time of a user on one card, without CAP_SYS_RESOURCE; the
	 * others are left to users who have none
	 */
	__u32 max_sessions_per_user;
	/** @max_queued_steps: steps of all jobs of a session that have not ended */
	__u32 max_queued_steps;
	/**
	 * @max_calls_under_way: calls of a session that the card has at a time, when no other session sends
	 * any; more of them wait
	 */
	__u32 max_calls_under_way;
	/** @max_step_bytes: the most that ax650_submit.step_size may be */
	__u32 max_step_bytes;
	/** @max_files_per_user: open files of a user on one card, without CAP_SYS_RESOURCE */
	__u32 max_files_per_user;
	/** @reserved: 0 */
	__u32 reserved;
};

/* ---- sessions ------------------------------------------------------------------------------ */

/**
 * struct ax650_session_create - open a session: ports, handshake, default context
 *
 * A session is one serving process on the card.  It ends with SESSION_DESTROY or with the last close
 * of the file; the card then releases what the session held there.
 */
struct ax650_session_create {
	/** @flags: must be 0 */
	__u32 flags;
	/** @log_level: log level of the card's serving process, 0 to 7 (2 = info) */
	__u32 log_level;
	/** @timeout_ns: give up at this time; 0: 50 seconds from now */
	__u64 timeout_ns;
	/** @session: out: handle, in this file */
	__u32 session;
	/** @generation: out: generation of the card */
	__u32 generation;
	/** @context: out: id of the default context (1) */
	__u32 context;
	/** @card_id: out: what the card id field of frames must hold */
	__u32 card_id;
	/** @next_sequence: out: first sequence number the caller may use */
	__u64 next_sequence;
};

/**
 * struct ax650_session_destroy - end a session; its unfinished jobs end with ECANCELED
 */
struct ax650_session_destroy {
	/** @session: handle of the session */
	__u32 session;
	/** @flags: must be 0 */
	__u32 flags;
};

/* ---- buffers ------------------------------------------------------------------------------- */

/**
 * define AX650_BUFFER_USER_MEMORY - the buffer is memory of the caller, which stays his
 *
 * Its pages are pinned until the buffer is gone, counted in RLIMIT_MEMLOCK.  Any address and size will do
 * where the card sees the CPU's caches.
 */
#define AX650_BUFFER_USER_MEMORY (1U << 0)

/**
 * define AX650_BUFFER_READ_ONLY - with USER_MEMORY or DMA_BUF: the card cannot write to it
 *
 * The memory need not be writable then, and may be that of a file.
 */
#define AX650_BUFFER_READ_ONLY (1U << 1)

/**
 * define AX650_BUFFER_DMA_BUF - the buffer is all of a dma-buf, memory of another driver or of this one
 */
#define AX650_BUFFER_DMA_BUF (1U << 2)

/**
 * struct ax650_buffer_create - host memory that the card can reach
 *
 * The driver's own memory, without flags, is zeroed.  It stays until the handle is destroyed (or the file
 * closed), it is mapped nowhere any more, and no job uses it.  MAP_SHARED; a mapping may be shorter than the
 * buffer.
 */
struct ax650_buffer_create {
	/**
	 * @size: in: bytes, not 0, but for DMA_BUF; out: without flags rounded up to whole pages, for DMA_BUF its
	 * bytes
	 */
	__u64 size;
	/** @flags: AX650_BUFFER_ flags */
	__u32 flags;
	/** @handle: out: handle, in this file */
	__u32 handle;
	/** @mmap_offset: out: offset for mmap() of this file, 0 for what can only be mapped elsewhere */
	__u64 mmap_offset;
	/** @address: USER_MEMORY: first byte; else 0 */
	__u64 address;
	/** @dma_buf: DMA_BUF: file descriptor; else 0 */
	__s32 dma_buf;
	/** @reserved: must be 0 */
	__u32 reserved;
};

/**
 * struct ax650_buffer_destroy - give up a handle
 */
struct ax650_buffer_destroy {
	/** @handle: handle of the buffer */
	__u32 handle;
	/** @flags: must be 0 */
	__u32 flags;
};

/**
 * struct ax650_buffer_export - make a dma-buf of a buffer, for other drivers and other cards
 *
 * The memory stays until nobody has the dma-buf any more, and counts in the limits until then.
 */
struct ax650_buffer_export {
	/** @handle: handle of the buffer, of the driver's own memory */
	__u32 handle;
	/** @flags: must be 0 */
	__u32 flags;
	/** @dma_buf: out: file descriptor, with O_CLOEXEC */
	__s32 dma_buf;
	/** @reserved: must be 0 */
	__u32 reserved;
};

/* ---- jobs ---------------------------------------------------------------------------------- */

/**
 * enum ax650_step_op - what a step does
 */
enum ax650_step_op {
	/** @AX650_STEP_COPY_TO_CARD: buffer -> card memory */
	AX650_STEP_COPY_TO_CARD = 1,
	/** @AX650_STEP_COPY_FROM_CARD: card memory -> buffer */
	AX650_STEP_COPY_FROM_CARD = 2,
	/** @AX650_STEP_CALL: a request frame, and its answer */
	AX650_STEP_CALL = 3,
};

/**
 * define AX650_STEP_PIPELINED - the step may be sent before the steps ahead of it are done
 *
 * Steps still are sent in order, and the card keeps calls on one stream in order.  Without the flag
 * a step waits until all steps ahead of it have ended well.
 */
#define AX650_STEP_PIPELINED (1U << 0)

/**
 * define AX650_STEP_NO_REPLY - CALL: the frame asks for no answer, the step is done when it is sent
 */
#define AX650_STEP_NO_REPLY (1U << 1)

/**
 * struct ax650_step - one step of a job
 *
 * A frame is a 28 byte header and a protobuf message, see docs/protocol/rpc.md.  Frames that carry
 * host addresses or own the card are refused (EPERM).
 */
struct ax650_step {
	/** @op: enum ax650_step_op */
	__u32 op;
	/** @flags: AX650_STEP_ flags */
	__u32 flags;
	/**
	 * @sequence: COPY: sequence number of the copy, not in use by another step in flight;
	 * CALL: 0 (it is in the frame)
	 */
	__u64 sequence;
	/** @context: COPY: context id; CALL: 0 */
	__u32 context;
	/** @stream: COPY: stream id (1 = default); CALL: 0 */
	__u32 stream;
	/** @card_address: COPY: address in card memory; CALL: 0 */
	__u64 card_address;
	/** @buffer: COPY: buffer handle; CALL: 0 */
	__u32 buffer;
	/** @reply_buffer: CALL: buffer for the answer frame, 0 for none; COPY: 0 */
	__u32 reply_buffer;
	/** @offset: COPY: first byte in the buffer; CALL: 0 */
	__u64 offset;
	/** @size: COPY: bytes, not 0; CALL: bytes of the frame, header included */
	__u64 size;
	/** @frame: CALL: address of the frame in user memory, copied by SUBMIT; COPY: 0 */
	__u64 frame;
	/** @reply_offset: CALL: where in @reply_buffer; COPY: 0 */
	__u64 reply_offset;
	/**
	 * @reply_capacity: CALL: room there, bytes; a longer answer is cut and the step ends with EMSGSIZE
	 */
	__u32 reply_capacity;
	/** @reserved: must be 0 */
	__u32 reserved;
};

/**
 * struct ax650_submit - queue a job
 */
struct ax650_submit {
	/** @session: session handle */
	__u32 session;
	/** @flags: must be 0 */
	__u32 flags;
	/** @steps: address of the array of steps */
	__u64 steps;
	/** @step_count: 1 to ax650_limits.max_steps_per_job */
	__u32 step_count;
	/** @step_size: size of the caller's struct ax650_step */
	__u32 step_size;
	/** @timeout_ns: the job ends with ETIME at this time; 0: the default from now */
	__u64 timeout_ns;
	/** @user_data: given back by WAIT */
	__u64 user_data;
	/** @eventfd: eventfd to signal when the job ends, or -1 */
	__s32 eventfd;
	/** @reserved: must be 0 */
	__u32 reserved;
	/** @job: out: number of the job; never used again in this file */
	__u64 job;
};

/**
 * struct ax650_step_result - how a step ended
 */
struct ax650_step_result {
	/** @status: 0, or a negative errno; ECANCELED: not begun because of an earlier step */
	__s32 status;
	/** @flags: always 0 */
	__u32 flags;
	/** @bytes: COPY: bytes moved; CALL: length of the answer frame */
	__u64 bytes;
	/** @sent_ns: when its first message was published, 0 if never */
	__u64 sent_ns;
	/** @done_ns: when its last message had come */
	__u64 done_ns;
};

/**
 * define AX650_WAIT_NO_POLL - sleep at once
 *
 * Without it a thread of a file whose jobs end within microseconds looks for the end of the job itself
 * before it sleeps, while nobody else wants its CPU.
 */
#define AX650_WAIT_NO_POLL (1U << 0)

/**
 * struct ax650_wait - wait for the end of a job, and forget it
 *
 * Returns 0 if the job has ended, well or not: see @status.  ETIME: not ended at @timeout_ns (EAGAIN
 * when that is 0).  ENOENT: no such job.
 */
struct ax650_wait {
	/** @job: in: number of the job, 0: any ended job of this file, oldest first; out: which */
	__u64 job;
	/** @timeout_ns: wait until then; 0: do not wait */
	__u64 timeout_ns;
	/** @results: address for the results of its steps, may be 0 */
	__u64 results;
	/** @result_count: in: room there; out: steps of the job */
	__u32 result_count;
	/** @result_size: size of the caller's struct ax650_step_result */
	__u32 result_size;
	/** @flags: AX650_WAIT_* */
	__u32 flags;
	/** @status: out: 0, or the negative errno of the first failed step */
	__s32 status;
	/** @user_data: out: the one of SUBMIT */
	__u64 user_data;
	/** @queued_ns: out: time of SUBMIT */
	__u64 queued_ns;
	/** @done_ns: out: time of the job's end */
	__u64 done_ns;
	/** @woken_ns: out: time when this request went on */
	__u64 woken_ns;
};

/* ---- administration (CAP_SYS_ADMIN) -------------------------------------------------------- */

/**
 * enum ax650_control_op - what is ordered
 */
enum ax650_control_op {
	/** @AX650_CONTROL_BOOT: reset the card and boot the installed firmware */
	AX650_CONTROL_BOOT = 1,
	/** @AX650_CONTROL_RESET: reset the card and leave it in its loader */
	AX650_CONTROL_RESET = 2,
};

/**
 * define AX650_CONTROL_IF_NEEDED - BOOT: do nothing if the card is RUNNING, SUSPECT or being booted
 */
#define AX650_CONTROL_IF_NEEDED (1U << 0)

/**
 * struct ax650_control - reset or boot
 *
 * Returns as soon as the work is queued; QUERY_CARD shows the progress.  All sessions of the card
 * end and their jobs fail with ESTALE.  Fails with EBUSY while a boot or reset is under way.
 */
struct ax650_control {
	/** @op: enum ax650_control_op */
	__u32 op;
	/** @flags: AX650_CONTROL_ flags */
	__u32 flags;
	/** @generation: out: the generation that is running or will be when the boot is done */
	__u32 generation;
	/** @reserved: must be 0 */
	__u32 reserved;
};

/* ---- requests ------------------------------------------------------------------------------ */

/**
 * enum ax650_request - numbers of the requests, with the errors that are not common to all
 */
enum ax650_request {
	/**
	 * @AX650_NR_QUERY: ask for facts
	 *
	 * EINVAL: unknown kind, flags or reserved not 0.  EFAULT: @data cannot be written.  TELEMETRY:
	 * EAGAIN: the card is not up; ETIMEDOUT: it did not answer.
	 */
	AX650_NR_QUERY = 0,
	/**
	 * @AX650_NR_SESSION_CREATE: open a session
	 *
	 * EAGAIN: the card is not up yet.  EHOSTDOWN: it is down and will not come up by itself.  ENOSPC: too
	 * many sessions of this file, user or card.  ETIMEDOUT: the card did not answer in time.  EREMOTEIO: the
	 * card refused.  EPROTO: its answer makes no sense.
	 */
	AX650_NR_SESSION_CREATE = 1,
	/**
	 * @AX650_NR_SESSION_DESTROY: end a session
	 *
	 * ENOENT: no such session in this file.
	 */
	AX650_NR_SESSION_DESTROY = 2,
	/**
	 * @AX650_NR_BUFFER_CREATE: make a buffer
	 *
	 * EINVAL: size 0, or above ax650_limits.max_buffer_bytes.  ENOSPC: too many buffers of this file.
	 * EDQUOT: memory limit of the file, the user or the card.  EIO: the memory cannot be mapped for the card.
	 * USER_MEMORY: EFAULT: memory that is not there, or not the caller's to write; EOPNOTSUPP: memory of a
	 * device, or of a file that has to know who writes; ENOMEM: more than RLIMIT_MEMLOCK allows; EINVAL: not
	 * aligned to the CPU's cache lines where the card does not see them.  DMA_BUF: EBADF, EINVAL: no dma-buf;
	 * EACCES: one that was opened for reading, without READ_ONLY; EOPNOTSUPP: the kernel has none; what else
	 * its driver has against it.
	 */
	AX650_NR_BUFFER_CREATE = 3,
	/**
	 * @AX650_NR_BUFFER_DESTROY: give up a buffer
	 *
	 * ENOENT: no such buffer in this file.
	 */
	AX650_NR_BUFFER_DESTROY = 4,
	/**
	 * @AX650_NR_SUBMIT: queue a job
	 *
	 * ENOENT: no such session or buffer.  ESTALE: the session is of an earlier boot.  EAGAIN: too many
	 * jobs not waited for, or steps queued.  EEXIST: a call of this name is in use.  EDQUOT: too much memory
	 * in long frames.  E2BIG: steps that are too long.  EACCES: a step names what the card has not given to
	 * this session.  EBUSY: it gives back what is in use.  ENOSPC: the session has too many things, or too
	 * many calls that were never answered.  EHOSTDOWN: the card is down.  ECANCELED: the session
	 * has ended.  EPERM: a frame that only the driver or an administrator may send.  EMSGSIZE: a frame
	 * too short or too long.  EINVAL: a bad field or range, a malformed frame.  EBADF: @eventfd is none.
	 * EROFS: the card was to write to a buffer that is READ_ONLY.
	 */
	AX650_NR_SUBMIT = 5,
	/**
	 * @AX650_NR_WAIT: wait for the end of a job
	 *
	 * ENOENT: no such job.  ETIME: not ended in time.  EAGAIN: not ended, and no time was given.
	 */
	AX650_NR_WAIT = 6,
	/**
	 * @AX650_NR_CONTROL: reset or boot the card
	 *
	 * EPERM: no CAP_SYS_ADMIN.  EBUSY: a boot or reset is under way.
	 */
	AX650_NR_CONTROL = 7,
	/**
	 * @AX650_NR_BUFFER_EXPORT: make a dma-buf of a buffer
	 *
	 * ENOENT: no such buffer in this file.  EOPNOTSUPP: it is not the driver's own memory, or the kernel has
	 * no dma-bufs.  EMFILE: no file descriptor.
	 */
	AX650_NR_BUFFER_EXPORT = 8,
};

#define AX650_IOC_QUERY _IOWR(AX650_IOC_TYPE, AX650_NR_QUERY, struct ax650_query)
#define AX650_IOC_SESSION_CREATE \
	_IOWR(AX650_IOC_TYPE, AX650_NR_SESSION_CREATE, struct ax650_session_create)
#define AX650_IOC_SESSION_DESTROY \
	_IOW(AX650_IOC_TYPE, AX650_NR_SESSION_DESTROY, struct ax650_session_destroy)
#define AX650_IOC_BUFFER_CREATE \
	_IOWR(AX650_IOC_TYPE, AX650_NR_BUFFER_CREATE, struct ax650_buffer_create)
#define AX650_IOC_BUFFER_DESTROY \
	_IOW(AX650_IOC_TYPE, AX650_NR_BUFFER_DESTROY, struct ax650_buffer_destroy)
#define AX650_IOC_SUBMIT _IOWR(AX650_IOC_TYPE, AX650_NR_SUBMIT, struct ax650_submit)
#define AX650_IOC_WAIT _IOWR(AX650_IOC_TYPE, AX650_NR_WAIT, struct ax650_wait)
#define AX650_IOC_CONTROL _IOWR(AX650_IOC_TYPE, AX650_NR_CONTROL, struct ax650_control)
#define AX650_IOC_BUFFER_EXPORT \
	_IOWR(AX650_IOC_TYPE, AX650_NR_BUFFER_EXPORT, struct ax650_buffer_export)

#endif /* _UAPI_AX650_H */
