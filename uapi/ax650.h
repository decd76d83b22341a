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
 * signal arrived.  docs/uapi.md has the errors of each request.
 */
#ifndef _UAPI_AX650_H
#define _UAPI_AX650_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define AX650_ABI_VERSION	1

#define AX650_IOC_TYPE		0xA6

/* ---- AX650_IOC_QUERY: read-only facts, no session needed ---------------------------------- */

enum ax650_query_kind {
	AX650_QUERY_CARD	= 1,	/* struct ax650_card_info */
	AX650_QUERY_TELEMETRY	= 2,	/* struct ax650_telemetry */
	AX650_QUERY_COUNTERS	= 3,	/* struct ax650_counters */
	AX650_QUERY_CLIENTS	= 4,	/* array of struct ax650_client */
	AX650_QUERY_LIMITS	= 5,	/* struct ax650_limits */
};

/**
 * struct ax650_query - ask for one kind of information
 * @kind: in: enum ax650_query_kind (unknown: EINVAL)
 * @size: in: bytes at @data; out: bytes the kernel has to give.  min(in, out) bytes are written
 * @data: in: where to; may be 0 when @size is 0
 * @flags: must be 0
 * @reserved: must be 0
 */
struct ax650_query {
	__u32 kind;
	__u32 size;
	__u64 data;
	__u32 flags;
	__u32 reserved;
};

enum ax650_card_state {
	AX650_STATE_ABSENT	= 0,	/* not yet looked at */
	AX650_STATE_LOADER	= 1,	/* reset, waiting for firmware */
	AX650_STATE_BOOTING	= 2,	/* firmware is being sent */
	AX650_STATE_HANDSHAKE	= 3,	/* firmware started, rings being set up */
	AX650_STATE_RUNNING	= 4,	/* sessions can be made */
	AX650_STATE_SUSPECT	= 5,	/* missed a heartbeat; being probed */
	AX650_STATE_DEAD	= 6,	/* boot or recovery failed, see last_error */
	AX650_STATE_RESETTING	= 7,
	AX650_STATE_GONE	= 8,	/* does not answer on the bus; is booted if it does again */
};

/**
 * struct ax650_card_info - identity and state of a card
 * @abi_version: AX650_ABI_VERSION of the driver
 * @state: enum ax650_card_state
 * @generation: grows by one at every boot of the card; handles of older ones answer ESTALE
 * @last_error: negative errno of the last failed boot or recovery, 0 if none
 * @pci_domain: PCI domain
 * @pci_bus: PCI bus number
 * @pci_devfn: PCI device << 3 | function
 * @vendor: PCI vendor id
 * @device: PCI device id
 * @subsystem_vendor: PCI subsystem vendor id
 * @subsystem_device: PCI subsystem device id
 * @link_speed_mtps: current link speed, MT/s (5000 = 5 GT/s), 0 if not known
 * @link_width: current link width, lanes
 * @card_id: id the card calls itself in its heartbeat; informative
 * @heartbeat_interval_ms: interval the card announced
 * @heartbeat_age_ns: time since the last accepted heartbeat, ~0 if there was none
 * @boot_bytes_done: bytes of firmware sent in the present or last boot
 * @boot_bytes_total: bytes of firmware to be sent, 0 before the first boot
 * @boot_time_ns: duration of the last boot from reset to RUNNING
 * @boot_reason: bits latched by the chip (0 normal, bit 0 software reset, 1 thermal, 3, 4 watchdog)
 * @reserved: 0
 * @firmware_version: what the card reports, NUL padded
 * @firmware_file: version in the header of the container that was sent, NUL padded
 * @firmware_sha256: of that container
 * @chip: chip name the card reports, NUL padded
 * @uid: unique id of the chip, 0 if not known
 */
struct ax650_card_info {
	__u32 abi_version;
	__u32 state;
	__u32 generation;
	__s32 last_error;
	__u32 pci_domain;
	__u16 pci_bus;
	__u16 pci_devfn;
	__u16 vendor;
	__u16 device;
	__u16 subsystem_vendor;
	__u16 subsystem_device;
	__u32 link_speed_mtps;
	__u32 link_width;
	__u32 card_id;
	__u32 heartbeat_interval_ms;
	__u64 heartbeat_age_ns;
	__u64 boot_bytes_done;
	__u64 boot_bytes_total;
	__u64 boot_time_ns;
	__u32 boot_reason;
	__u32 reserved;
	__u8 firmware_version[64];
	__u8 firmware_file[32];
	__u8 firmware_sha256[32];
	__u8 chip[32];
	__u64 uid;
};

/* Bits of ax650_telemetry.valid: the card answered, and the answer could be read. */
#define AX650_TELEMETRY_TEMPERATURE	(1ULL << 0)
#define AX650_TELEMETRY_CPU		(1ULL << 1)
#define AX650_TELEMETRY_NPU		(1ULL << 2)
#define AX650_TELEMETRY_MEMORY		(1ULL << 3)
#define AX650_TELEMETRY_CMM		(1ULL << 4)

/**
 * struct ax650_telemetry - what the card says of itself, asked by the driver's own session
 * @valid: AX650_TELEMETRY_ bits; fields without their bit are 0
 * @age_ns: age of the values (they are kept for up to a second)
 * @temperature_mc: junction temperature, 1/1000 degree Celsius
 * @cpu_load: load of the card's CPUs, 1/100 percent
 * @npu_load: load of the NPU, 1/100 percent
 * @reserved: 0
 * @memory_total: memory of the card's Linux, bytes
 * @memory_free: the same, free
 * @cmm_total: contiguous memory for models, tensors and pictures, bytes
 * @cmm_used: the same, in use
 */
struct ax650_telemetry {
	__u64 valid;
	__u64 age_ns;
	__s32 temperature_mc;
	__u32 cpu_load;
	__u32 npu_load;
	__u32 reserved;
	__u64 memory_total;
	__u64 memory_free;
	__u64 cmm_total;
	__u64 cmm_used;
};

/**
 * struct ax650_counters - what happened on this card since the driver was bound
 * @messages_sent: messages put into the host to card ring
 * @messages_received: messages taken from the card to host ring
 * @doorbells: doorbells rung
 * @doorbells_recovered: doorbells rung again because the card had not moved
 * @doorbell_busy: times no mailbox slot was to be had
 * @interrupts: message interrupts
 * @interrupts_recovered: messages found by the timer, not by an interrupt
 * @mmio_reads: register reads
 * @mmio_writes: register writes
 * @bytes_to_card: payload bytes moved by card DMA, host to card
 * @bytes_from_card: the same, card to host
 * @ring_full: times the host to card ring was full
 * @bad_messages: messages with a bad header or an impossible length
 * @ring_corrupt: times the card's ring pointers made no sense
 * @dropped_no_port: messages for a port that nobody owns
 * @dropped_overflow: messages dropped because their receiver was full
 * @late_replies: answers that nobody waited for any more
 * @heartbeats: heartbeats accepted
 * @heartbeats_missed: times the heartbeat was late
 * @pings: latency echoes sent because of that
 * @canaries: built-in test calls made because of that
 * @session_resets: sessions closed by the driver because the card stopped serving them
 * @resets: chip resets
 * @boots: completed boots
 * @boot_failures: failed boots
 * @jobs: jobs completed
 * @jobs_failed: of these, with an error
 * @quarantined_bytes: memory kept back, now, because the card may still write to it
 * @buffer_bytes: memory of all buffers, now
 */
struct ax650_counters {
	__u64 messages_sent;
	__u64 messages_received;
	__u64 doorbells;
	__u64 doorbells_recovered;
	__u64 doorbell_busy;
	__u64 interrupts;
	__u64 interrupts_recovered;
	__u64 mmio_reads;
	__u64 mmio_writes;
	__u64 bytes_to_card;
	__u64 bytes_from_card;
	__u64 ring_full;
	__u64 bad_messages;
	__u64 ring_corrupt;
	__u64 dropped_no_port;
	__u64 dropped_overflow;
	__u64 late_replies;
	__u64 heartbeats;
	__u64 heartbeats_missed;
	__u64 pings;
	__u64 canaries;
	__u64 session_resets;
	__u64 resets;
	__u64 boots;
	__u64 boot_failures;
	__u64 jobs;
	__u64 jobs_failed;
	__u64 quarantined_bytes;
	__u64 buffer_bytes;
};

enum ax650_interface {
	AX650_INTERFACE_NATIVE	= 0,	/* this one */
	AX650_INTERFACE_AXCL	= 1,	/* the device nodes for programs of AXCL */
};

/**
 * struct ax650_client - one open session, or one program of AXCL
 * @pid: process that made it, in the caller's pid namespace, 0 if not visible there
 * @session: its number on the card (first port), not a handle
 * @buffer_bytes: memory of the file's buffers; of the process's, for AXCL
 * @jobs: jobs completed; 0 for AXCL
 * @bytes_to_card: payload moved to the card
 * @bytes_from_card: payload moved from the card
 * @command: name of the process, NUL padded
 * @interface: enum ax650_interface, by which it uses the card
 * @reserved: 0
 */
struct ax650_client {
	__s32 pid;
	__u32 session;
	__u64 buffer_bytes;
	__u64 jobs;
	__u64 bytes_to_card;
	__u64 bytes_from_card;
	__u8 command[16];
	__u32 interface;
	__u32 reserved;
};

/**
 * struct ax650_limits - what this driver allows
 * @max_sessions_per_card: sessions at a time on a card
 * @max_sessions_per_file: of these by one open file
 * @max_buffers_per_file: buffers at a time
 * @max_jobs_per_session: jobs submitted and not yet waited for
 * @max_steps_per_job: steps in one SUBMIT
 * @max_frame_bytes: longest request or answer frame, header included
 * @max_buffer_bytes: largest single buffer
 * @max_bytes_per_file: memory of all buffers of one open file
 * @max_bytes_per_card: memory of all buffers of one card
 * @default_timeout_ns: of a job that names none
 */
struct ax650_limits {
	__u32 max_sessions_per_card;
	__u32 max_sessions_per_file;
	__u32 max_buffers_per_file;
	__u32 max_jobs_per_session;
	__u32 max_steps_per_job;
	__u32 max_frame_bytes;
	__u64 max_buffer_bytes;
	__u64 max_bytes_per_file;
	__u64 max_bytes_per_card;
	__u64 default_timeout_ns;
};

/* ---- sessions ------------------------------------------------------------------------------ */

/**
 * struct ax650_session_create - open a session: ports, handshake, default context
 * @flags: must be 0
 * @log_level: log level of the card's serving process, 0 to 7 (2 = info)
 * @timeout_ns: give up at this time; 0: 10 seconds from now
 * @session: out: handle, in this file
 * @generation: out: generation of the card
 * @context: out: id of the default context (1)
 * @card_id: out: what the card id field of frames must hold
 * @next_sequence: out: first sequence number the caller may use
 *
 * A session is one serving process on the card.  It ends with SESSION_DESTROY or with the last close
 * of the file; the card then releases what the session held there.
 */
struct ax650_session_create {
	__u32 flags;
	__u32 log_level;
	__u64 timeout_ns;
	__u32 session;
	__u32 generation;
	__u32 context;
	__u32 card_id;
	__u64 next_sequence;
};

/**
 * struct ax650_session_destroy - end a session; its unfinished jobs end with ECANCELED
 * @session: handle
 * @flags: must be 0
 */
struct ax650_session_destroy {
	__u32 session;
	__u32 flags;
};

/* ---- buffers ------------------------------------------------------------------------------- */

/**
 * struct ax650_buffer_create - host memory that the card can reach
 * @size: in: bytes, not 0; rounded up to whole pages
 * @flags: must be 0
 * @handle: out: handle, in this file
 * @mmap_offset: out: offset for mmap() of this file
 *
 * The memory is zeroed.  It stays until the handle is destroyed (or the file closed), it is mapped
 * nowhere any more, and no job uses it.  MAP_SHARED; a mapping may be shorter than the buffer.
 */
struct ax650_buffer_create {
	__u64 size;
	__u32 flags;
	__u32 handle;
	__u64 mmap_offset;
};

/**
 * struct ax650_buffer_destroy - give up a handle
 * @handle: handle
 * @flags: must be 0
 */
struct ax650_buffer_destroy {
	__u32 handle;
	__u32 flags;
};

/* ---- jobs ---------------------------------------------------------------------------------- */

enum ax650_step_op {
	AX650_STEP_COPY_TO_CARD		= 1,	/* buffer -> card memory */
	AX650_STEP_COPY_FROM_CARD	= 2,	/* card memory -> buffer */
	AX650_STEP_CALL			= 3,	/* a request frame, and its answer */
};

/*
 * The step may be sent before the steps ahead of it are done (they still are sent in order, and the
 * card keeps calls on one stream in order).  Without the flag a step waits until all steps ahead of
 * it have ended well.
 */
#define AX650_STEP_PIPELINED	(1U << 0)
/* CALL: the frame asks for no answer; the step is done when it is sent. */
#define AX650_STEP_NO_REPLY	(1U << 1)

/**
 * struct ax650_step - one step of a job
 * @op: enum ax650_step_op
 * @flags: AX650_STEP_ flags
 * @sequence: COPY: sequence number of the copy, not in use by another step in flight;
 *	CALL: 0 (it is in the frame)
 * @context: COPY: context id; CALL: 0
 * @stream: COPY: stream id (1 = default); CALL: 0
 * @card_address: COPY: address in card memory; CALL: 0
 * @buffer: COPY: buffer handle; CALL: 0
 * @reply_buffer: CALL: buffer for the answer frame, 0 for none; COPY: 0
 * @offset: COPY: first byte in the buffer; CALL: 0
 * @size: COPY: bytes, not 0; CALL: bytes of the frame, header included
 * @frame: CALL: address of the frame in user memory, copied by SUBMIT; COPY: 0
 * @reply_offset: CALL: where in @reply_buffer; COPY: 0
 * @reply_capacity: CALL: room there, bytes; a longer answer is cut and the step ends with EMSGSIZE
 * @reserved: must be 0
 *
 * A frame is a 28 byte header and a protobuf message, see docs/protocol/rpc.md.  Frames that carry
 * host addresses or own the card are refused (EPERM).
 */
struct ax650_step {
	__u32 op;
	__u32 flags;
	__u64 sequence;
	__u32 context;
	__u32 stream;
	__u64 card_address;
	__u32 buffer;
	__u32 reply_buffer;
	__u64 offset;
	__u64 size;
	__u64 frame;
	__u64 reply_offset;
	__u32 reply_capacity;
	__u32 reserved;
};

/**
 * struct ax650_submit - queue a job
 * @session: session handle
 * @flags: must be 0
 * @steps: address of the array of steps
 * @step_count: 1 to ax650_limits.max_steps_per_job
 * @step_size: sizeof(struct ax650_step) of the caller
 * @timeout_ns: the job ends with ETIME at this time; 0: the default from now
 * @user_data: given back by WAIT
 * @eventfd: eventfd to signal when the job ends, or -1
 * @reserved: must be 0
 * @job: out: number of the job; never used again in this file
 */
struct ax650_submit {
	__u32 session;
	__u32 flags;
	__u64 steps;
	__u32 step_count;
	__u32 step_size;
	__u64 timeout_ns;
	__u64 user_data;
	__s32 eventfd;
	__u32 reserved;
	__u64 job;
};

/**
 * struct ax650_step_result - how a step ended
 * @status: 0, or a negative errno; ECANCELED: not begun because of an earlier step
 * @flags: 0
 * @bytes: COPY: bytes moved; CALL: length of the answer frame
 * @sent_ns: when its first message was published, 0 if never
 * @done_ns: when its last message had come
 */
struct ax650_step_result {
	__s32 status;
	__u32 flags;
	__u64 bytes;
	__u64 sent_ns;
	__u64 done_ns;
};

/**
 * struct ax650_wait - wait for the end of a job, and forget it
 * @job: in: number of the job, 0: any ended job of this file, oldest first; out: which
 * @timeout_ns: wait until then; 0: do not wait
 * @results: where to write the results of its steps, may be 0
 * @result_count: in: room there; out: steps of the job
 * @result_size: sizeof(struct ax650_step_result) of the caller
 * @flags: must be 0
 * @status: out: 0, or the negative errno of the first failed step
 * @user_data: out: of SUBMIT
 * @queued_ns: out: time of SUBMIT
 * @done_ns: out: time of the job's end
 * @woken_ns: out: time when this request went on
 *
 * Returns 0 if the job has ended, well or not: see @status.  ETIME: not ended at @timeout_ns (EAGAIN
 * when that is 0).  ENOENT: no such job.
 */
struct ax650_wait {
	__u64 job;
	__u64 timeout_ns;
	__u64 results;
	__u32 result_count;
	__u32 result_size;
	__u32 flags;
	__s32 status;
	__u64 user_data;
	__u64 queued_ns;
	__u64 done_ns;
	__u64 woken_ns;
};

/* ---- administration (CAP_SYS_ADMIN) -------------------------------------------------------- */

enum ax650_control_op {
	AX650_CONTROL_BOOT	= 1,	/* reset the card and boot the installed firmware */
	AX650_CONTROL_RESET	= 2,	/* reset the card and leave it in its loader */
};

/* BOOT: do nothing if the card is RUNNING, SUSPECT or being booted. */
#define AX650_CONTROL_IF_NEEDED	(1U << 0)

/**
 * struct ax650_control - reset or boot
 * @op: enum ax650_control_op
 * @flags: AX650_CONTROL_ flags
 * @generation: out: the generation that is running or will be when the boot is done
 * @reserved: must be 0
 *
 * Returns as soon as the work is queued; QUERY_CARD shows the progress.  All sessions end: their
 * jobs with ESTALE.  EBUSY: a boot or reset is already under way.
 */
struct ax650_control {
	__u32 op;
	__u32 flags;
	__u32 generation;
	__u32 reserved;
};

/* ---- requests ------------------------------------------------------------------------------ */

#define AX650_IOC_QUERY			_IOWR(AX650_IOC_TYPE, 0x00, struct ax650_query)
#define AX650_IOC_SESSION_CREATE	_IOWR(AX650_IOC_TYPE, 0x01, struct ax650_session_create)
#define AX650_IOC_SESSION_DESTROY	_IOW(AX650_IOC_TYPE, 0x02, struct ax650_session_destroy)
#define AX650_IOC_BUFFER_CREATE		_IOWR(AX650_IOC_TYPE, 0x03, struct ax650_buffer_create)
#define AX650_IOC_BUFFER_DESTROY	_IOW(AX650_IOC_TYPE, 0x04, struct ax650_buffer_destroy)
#define AX650_IOC_SUBMIT		_IOWR(AX650_IOC_TYPE, 0x05, struct ax650_submit)
#define AX650_IOC_WAIT			_IOWR(AX650_IOC_TYPE, 0x06, struct ax650_wait)
#define AX650_IOC_CONTROL		_IOWR(AX650_IOC_TYPE, 0x07, struct ax650_control)

#endif /* _UAPI_AX650_H */
