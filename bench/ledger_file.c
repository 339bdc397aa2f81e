/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two buffers change places: one gathers while the other is being written.  A ledger that cannot be written ends the
 * bench with a sentence: going on would measure or prove something else than what was asked.
 */
#include "bench/ledger_file.h"

#include <fcntl.h>

static void
failed(const struct ledger_file *file, int result)
{
	(void)fprintf(stderr, "ringpost-bench: cannot write %s: %s\n", file->path, strerror(-result));
	exit(1);
}

static void
flush_start(struct ledger_file *file)
{
	struct ledger_text swap = file->writing;

	file->writing = file->lines;
	file->lines = swap;
	file->lines.len = 0;
	list_splice(&file->waiters_writing, &file->waiters);
	file->iov = (struct iovec){ file->writing.data, file->writing.len };
	io_write(file->reactor->io, &file->op, file->fd, &file->iov, 1, 0, IO_WRITE_APPEND);
}

static void
written(struct io_op *op, const struct io_event *event)
{
	struct ledger_file *file = CONTAINER_OF(op, struct ledger_file, op);
	struct list done;
	struct list_node *node;

	if (event->result < 0)
		failed(file, event->result);
	if ((size_t)event->result < file->iov.iov_len) {
		file->iov.iov_base = (char *)file->iov.iov_base + event->result;
		file->iov.iov_len -= (size_t)event->result;
		io_write(file->reactor->io, op, file->fd, &file->iov, 1, 0, IO_WRITE_APPEND);
		return;
	}
	list_init(&done);
	list_splice(&done, &file->waiters_writing);
	if (file->lines.len)
		flush_start(file);
	while ((node = list_take_first(&done)) != NULL) {
		struct ledger_waiter *waiter = LIST_ENTRY(node, struct ledger_waiter, node);

		waiter->written(waiter);
	}
	if (io_op_idle(&file->op) && file->lines.len == 0 && file->idle) {
		void (*idle)(struct ledger_file *) = file->idle;

		file->idle = NULL;
		idle(file);
	}
}

static void
flush_run(struct reactor_hook *hook)
{
	struct ledger_file *file = CONTAINER_OF(hook, struct ledger_file, flush);

	if (file->lines.len && io_op_idle(&file->op))
		flush_start(file);
}

static void
opened(struct io_op *op, const struct io_event *event)
{
	struct ledger_file *file = CONTAINER_OF(op, struct ledger_file, op);

	if (event->result >= 0) {
		file->fd = event->result;
		io_op_init(op, written);
	}
	file->opened(file, event->result < 0 ? event->result : 0);
}

static void
open_with(struct ledger_file *file, struct reactor *r, const char *path, int flags,
	  void (*on_opened)(struct ledger_file *, int))
{
	*file = (struct ledger_file){ .reactor = r, .path = path, .fd = -1, .opened = on_opened };
	list_init(&file->waiters);
	list_init(&file->waiters_writing);
	reactor_hook_init(&file->flush, flush_run);
	io_op_init(&file->op, opened);
	io_open(r->io, &file->op, IO_CWD, path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | flags, 0644);
}

void
ledger_file_open(struct ledger_file *file, struct reactor *r, const char *path,
		 void (*on_opened)(struct ledger_file *, int))
{
	open_with(file, r, path, 0, on_opened);
}

void
ledger_file_create(struct ledger_file *file, struct reactor *r, const char *path,
		   void (*on_opened)(struct ledger_file *, int))
{
	open_with(file, r, path, O_TRUNC, on_opened);
}

void
ledger_waiter_init(struct ledger_waiter *waiter, void (*on_written)(struct ledger_waiter *))
{
	list_node_init(&waiter->node);
	waiter->written = on_written;
}

void
ledger_waiter_cancel(struct ledger_waiter *waiter)
{
	list_remove(&waiter->node);
}

void
ledger_file_push(struct ledger_file *file, struct ledger_waiter *waiter)
{
	INVARIANT(file->fd >= 0);
	if (waiter)
		list_append(&file->waiters, &waiter->node);
	reactor_at_turn_end(file->reactor, &file->flush);
}

void
ledger_file_finish(struct ledger_file *file, void (*idle)(struct ledger_file *))
{
	if (file->lines.len == 0 && io_op_idle(&file->op)) {
		idle(file);
		return;
	}
	file->idle = idle;
	reactor_at_turn_end(file->reactor, &file->flush);
}

void
ledger_file_fini(struct ledger_file *file)
{
	INVARIANT(io_op_idle(&file->op) && file->lines.len == 0);
	reactor_hook_cancel(&file->flush);
	if (file->fd >= 0)
		io_close(file->reactor->io, file->fd);
	file->fd = -1;
	free(file->lines.data);
	free(file->writing.data);
}
