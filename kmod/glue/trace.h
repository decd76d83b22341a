/* SPDX-License-Identifier: GPL-2.0 */
/* Events for ftrace, perf and BPF (docs/tracing.md), and what Rust calls to have them (trace.rs). */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM ax650

#ifndef AX650_TRACE_CALLS
#define AX650_TRACE_CALLS

#include <linux/types.h>

struct device;

void ax650_trace_state(struct device *dev, const char *from, const char *to);
void ax650_trace_recovery(struct device *dev, const char *what);
void ax650_trace_doorbell(struct device *dev, u64 rung);
void ax650_trace_job_queued(struct device *dev, u32 session, u64 job, u32 steps);
void ax650_trace_step_sent(struct device *dev, u32 session, u64 job, u32 step, u32 kind);
void ax650_trace_step_answered(struct device *dev, u32 session, u64 job, u32 step, u64 bytes);
void ax650_trace_job_done(struct device *dev, u32 session, u64 job, int status);

#endif

#if !defined(AX650_TRACE_EVENTS) || defined(TRACE_HEADER_MULTI_READ)
#define AX650_TRACE_EVENTS

#include <linux/device.h>
#include <linux/tracepoint.h>

/* The card's thread has brought the card from one state to another: boot, reset, loss. */
TRACE_EVENT(ax650_state,
	TP_PROTO(struct device *dev, const char *from, const char *to),
	TP_ARGS(dev, from, to),
	TP_STRUCT__entry(
		__string(card, dev_name(dev))
		__string(from, from)
		__string(to, to)
	),
	TP_fast_assign(
		__assign_str(card);
		__assign_str(from);
		__assign_str(to);
	),
	TP_printk("card=%s from=%s to=%s", __get_str(card), __get_str(from), __get_str(to))
);

/* Something has gone wrong with the card, or was mended. */
TRACE_EVENT(ax650_recovery,
	TP_PROTO(struct device *dev, const char *what),
	TP_ARGS(dev, what),
	TP_STRUCT__entry(
		__string(card, dev_name(dev))
		__string(what, what)
	),
	TP_fast_assign(
		__assign_str(card);
		__assign_str(what);
	),
	TP_printk("card=%s what=%s", __get_str(card), __get_str(what))
);

/* The doorbell was rung. */
TRACE_EVENT(ax650_doorbell,
	TP_PROTO(struct device *dev, u64 rung),
	TP_ARGS(dev, rung),
	TP_STRUCT__entry(
		__string(card, dev_name(dev))
		__field(u64, rung)
	),
	TP_fast_assign(
		__assign_str(card);
		__entry->rung = rung;
	),
	TP_printk("card=%s rung=%llu", __get_str(card), __entry->rung)
);

TRACE_EVENT(ax650_job_queued,
	TP_PROTO(struct device *dev, u32 session, u64 job, u32 steps),
	TP_ARGS(dev, session, job, steps),
	TP_STRUCT__entry(
		__string(card, dev_name(dev))
		__field(u64, job)
		__field(u32, session)
		__field(u32, steps)
	),
	TP_fast_assign(
		__assign_str(card);
		__entry->job = job;
		__entry->session = session;
		__entry->steps = steps;
	),
	TP_printk("card=%s session=%u job=%llu steps=%u", __get_str(card), __entry->session,
		  __entry->job, __entry->steps)
);

/* A call, or the request for a copy or a part of one, was put into the ring. */
TRACE_EVENT(ax650_step_sent,
	TP_PROTO(struct device *dev, u32 session, u64 job, u32 step, u32 kind),
	TP_ARGS(dev, session, job, step, kind),
	TP_STRUCT__entry(
		__string(card, dev_name(dev))
		__field(u64, job)
		__field(u32, session)
		__field(u32, step)
		__field(u32, kind)
	),
	TP_fast_assign(
		__assign_str(card);
		__entry->job = job;
		__entry->session = session;
		__entry->step = step;
		__entry->kind = kind;
	),
	TP_printk("card=%s session=%u job=%llu step=%u kind=0x%08x", __get_str(card),
		  __entry->session, __entry->job, __entry->step, __entry->kind)
);

/* The answer to a call has come, or a part of a copy was moved. */
TRACE_EVENT(ax650_step_answered,
	TP_PROTO(struct device *dev, u32 session, u64 job, u32 step, u64 bytes),
	TP_ARGS(dev, session, job, step, bytes),
	TP_STRUCT__entry(
		__string(card, dev_name(dev))
		__field(u64, job)
		__field(u64, bytes)
		__field(u32, session)
		__field(u32, step)
	),
	TP_fast_assign(
		__assign_str(card);
		__entry->job = job;
		__entry->bytes = bytes;
		__entry->session = session;
		__entry->step = step;
	),
	TP_printk("card=%s session=%u job=%llu step=%u bytes=%llu", __get_str(card),
		  __entry->session, __entry->job, __entry->step, __entry->bytes)
);

TRACE_EVENT(ax650_job_done,
	TP_PROTO(struct device *dev, u32 session, u64 job, int status),
	TP_ARGS(dev, session, job, status),
	TP_STRUCT__entry(
		__string(card, dev_name(dev))
		__field(u64, job)
		__field(u32, session)
		__field(int, status)
	),
	TP_fast_assign(
		__assign_str(card);
		__entry->job = job;
		__entry->session = session;
		__entry->status = status;
	),
	TP_printk("card=%s session=%u job=%llu status=%d", __get_str(card),
		  __entry->session, __entry->job, __entry->status)
);

#endif

/* Outside of the guard: this file is read several times. */
#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
