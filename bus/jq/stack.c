/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A stack of the machine's own for what is deep: a thread of the bus has a few
 * hundred KiB, and a program may call itself ten thousand times. Mapped when it
 * is first needed, with a page below it that nobody may touch; the kernel gives
 * pages as they are used.
 *
 * The level at which one goes over is low and the switch costs a microsecond, so
 * only programs that recurse pay for it.
 */
#include <assert.h>
#include <sys/mman.h>
#include <ucontext.h>

#include "jq/evaluate.h"

#if defined(__SANITIZE_ADDRESS__)
#define ADDRESS_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ADDRESS_SANITIZED 1
#endif
#endif

#ifdef ADDRESS_SANITIZED
#include <sanitizer/common_interface_defs.h>
enum { LEVEL_BYTES = 8192 };
#else
enum { LEVEL_BYTES = 2048 };
#endif
enum { GUARD = 65536, ROOM = 512 * 1024 }; /* room for what is no level: sorting, writing */

struct stack {
	ucontext_t caller, own;
	size_t size;
	char *memory;
	struct jq_machine *machine;
	struct jq_flow *flow;
	struct jq_value *ret_value;
	enum jq_status status;
	const void *caller_bottom; /* what AddressSanitizer knows of the caller's stack */
	size_t caller_size;
};

static struct stack *stack_new(struct jq_machine *machine)
{
	size_t size = GUARD + ROOM + machine->program->limits.depth * LEVEL_BYTES;
	size = (size + GUARD - 1) & ~((size_t)GUARD - 1);
	char *memory = mmap(
		NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (memory == MAP_FAILED) {
		return NULL;
	}
	if (mprotect(memory, GUARD, PROT_NONE) < 0) {
		munmap(memory, size);
		return NULL;
	}
	/* Its own description stands at its top. */
	struct stack *stack = (struct stack *)(void *)(memory + size - 8192);
	*stack = (struct stack){ .size = size, .memory = memory, .machine = machine };
	return stack;
}

static void stack_main(unsigned high, unsigned low)
{
	struct stack *stack = (struct stack *)(uintptr_t)((uint64_t)high << 32 | low);
#ifdef ADDRESS_SANITIZED
	__sanitizer_finish_switch_fiber(NULL, &stack->caller_bottom, &stack->caller_size);
#endif
	stack->status = jq_flow_run(stack->machine, stack->flow, stack->ret_value);
#ifdef ADDRESS_SANITIZED
	__sanitizer_start_switch_fiber(NULL, stack->caller_bottom, stack->caller_size);
#endif
}

/* A new beginning for the stack. */
static void stack_prepare(struct stack *stack)
{
	getcontext(&stack->own);
	stack->own.uc_stack.ss_sp = stack->memory + GUARD;
	stack->own.uc_stack.ss_size = stack->size - GUARD - 8192;
	stack->own.uc_link = &stack->caller;
	uint64_t address = (uint64_t)(uintptr_t)stack;
	makecontext(&stack->own, (void (*)(void))stack_main, 2, (unsigned)(address >> 32), (unsigned)address);
}

static void stack_enter(struct stack *stack)
{
#ifdef ADDRESS_SANITIZED
	void *fake;
	__sanitizer_start_switch_fiber(&fake, stack->memory + GUARD, stack->size - GUARD - 8192);
#endif
	int switched = swapcontext(&stack->caller, &stack->own);
	assert(switched == 0);
#ifdef ADDRESS_SANITIZED
	__sanitizer_finish_switch_fiber(fake, NULL, NULL);
#endif
}

enum jq_status jq_deep(struct jq_machine *machine, struct jq_flow *flow, struct jq_value *ret_value)
{
	struct stack *stack = machine->stack ? machine->stack : stack_new(machine);
	if (!stack) {
		jq_limit_reached(machine, JQ_LIMIT_MEMORY);
		return JQ_ENDED;
	}
	machine->stack = stack;
	stack->flow = flow;
	stack->ret_value = ret_value;
	stack_prepare(stack);
	machine->on_stack = true;
	stack_enter(stack);
	machine->on_stack = false;
	return stack->status;
}

void jq_stack_free(struct jq_machine *machine)
{
	struct stack *stack = machine->stack;
	if (stack) {
		munmap(stack->memory, stack->size);
		machine->stack = NULL;
	}
}
