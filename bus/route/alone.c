/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One message through `where` and steps, by itself, with workers that live as
 * long as the call. Steps are pure, so this is what the lanes make of it too.
 */
#include <stdlib.h>

#include <route/alone.h>
#include <route/evaluation.h>

static void workers_free(const struct config_route *plan, void **workers)
{
	for (size_t i = 0; workers && i < plan->step_count; i++) {
		if (workers[i]) {
			plan->steps[i].kind->worker_free(workers[i]);
		}
	}
	free(workers);
}

static void **workers_new(const struct config_route *plan)
{
	void **workers = calloc(plan->step_count + 1, sizeof(*workers));
	for (size_t i = 0; workers && i < plan->step_count; i++) {
		const struct config_step *step = &plan->steps[i];
		if (step->kind && step->kind->worker_new &&
			step->kind->worker_new(step->program, &workers[i]) != 0) {
			workers_free(plan, workers);
			return NULL;
		}
	}
	return workers;
}

int route_evaluate_alone(const struct config_route *plan, size_t steps, const struct xylem_message *message,
	struct xylem_arena *arena, struct evaluated *ret_evaluated)
{
	struct config_route part = *plan;
	part.step_count = steps < plan->step_count ? steps : plan->step_count;
	void **workers = workers_new(&part);
	if (!workers) {
		return -XYLEM_E_MEMORY;
	}
	evaluate(&part, workers, message, arena, ret_evaluated);
	workers_free(&part, workers);
	return 0;
}
