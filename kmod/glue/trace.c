// SPDX-License-Identifier: GPL-2.0
/*
 * The events of trace.h, and a function for each that Rust can call.
 *
 * Not the kernel crate's declare_trace!: its static branch is assembly that the kernel's build generates,
 * which packages of kernel headers do not have.  The branch is in these functions, so what an event costs
 * while nobody looks is a call.
 */
#define CREATE_TRACE_POINTS
#include "trace.h"

void ax650_trace_state(struct device *dev, const char *from, const char *to)
{
	trace_ax650_state(dev, from, to);
}

void ax650_trace_recovery(struct device *dev, const char *what)
{
	trace_ax650_recovery(dev, what);
}

void ax650_trace_doorbell(struct device *dev, u64 rung)
{
	trace_ax650_doorbell(dev, rung);
}

void ax650_trace_job_queued(struct device *dev, u32 session, u64 job, u32 steps)
{
	trace_ax650_job_queued(dev, session, job, steps);
}

void ax650_trace_step_sent(struct device *dev, u32 session, u64 job, u32 step, u32 kind)
{
	trace_ax650_step_sent(dev, session, job, step, kind);
}

void ax650_trace_step_answered(struct device *dev, u32 session, u64 job, u32 step, u64 bytes)
{
	trace_ax650_step_answered(dev, session, job, step, bytes);
}

void ax650_trace_job_done(struct device *dev, u32 session, u64 job, int status)
{
	trace_ax650_job_done(dev, session, job, status);
}
