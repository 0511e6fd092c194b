//go:build worker

#include "lt.h"
#include <string.h>

/* Values of cublasLt.h's enumerations. */
enum { DESC_TRANSA = 3, PREFERENCE_WORKSPACE = 1, CONFIG_ID = 0, CONFIG_TILE = 1, CONFIG_SPLIT = 2, CONFIG_STAGES = 6, OP_T = 1, CHOICES = 8 };

static int layout(const lt_functions *f, const lt_matrix *m, void **out)
{
	return f->layout_create(out, m->type, m->rows, m->columns, m->ld);
}

/* choose asks for several algorithms, best first, and takes the first that can run. */
static int choose(const lt_functions *f, void *handle, const lt_product *p, lt_plan *plan)
{
	void *preference = NULL;
	int rc = f->preference_create(&preference);
	if (rc)
		return rc;
	lt_choice choices[CHOICES];
	int found = 0;
	memset(choices, 0, sizeof choices);
	rc = f->preference_set(preference, PREFERENCE_WORKSPACE, &p->workspace, sizeof p->workspace);
	if (!rc)
		rc = f->heuristic(handle, plan->desc, plan->a, plan->b, plan->d, plan->d, preference, CHOICES, choices, &found);
	f->preference_destroy(preference);
	if (rc)
		return rc;
	for (int i = 0; i < found && i < CHOICES; i++) {
		if (choices[i].state == LT_SUCCESS && choices[i].workspace <= p->workspace) {
			plan->choice = choices[i];
			return LT_SUCCESS;
		}
	}
	return LT_NOT_SUPPORTED;
}

static int config(const lt_functions *f, const lt_plan *plan, int attribute)
{
	int value = -1;
	size_t written = 0;
	if (!f->config || f->config(&plan->choice.algo, attribute, &value, sizeof value, &written))
		return -1;
	return value;
}

int lt_prepare(const lt_functions *f, void *handle, const lt_product *p, lt_plan *plan)
{
	memset(plan, 0, sizeof *plan);
	int rc = f->desc_create(&plan->desc, p->compute, p->scale);
	if (!rc && p->transpose) {
		int op = OP_T;
		rc = f->desc_set(plan->desc, DESC_TRANSA, &op, sizeof op);
	}
	if (!rc)
		rc = layout(f, &p->a, &plan->a);
	if (!rc)
		rc = layout(f, &p->b, &plan->b);
	if (!rc)
		rc = layout(f, &p->d, &plan->d);
	if (!rc)
		rc = choose(f, handle, p, plan);
	if (rc) {
		lt_release(f, plan);
		return rc;
	}
	plan->algo = config(f, plan, CONFIG_ID);
	plan->tile = config(f, plan, CONFIG_TILE);
	plan->stages = config(f, plan, CONFIG_STAGES);
	plan->split = config(f, plan, CONFIG_SPLIT);
	return LT_SUCCESS;
}

int lt_run(const lt_functions *f, void *handle, const lt_product *p, const lt_plan *plan,
           uint64_t a, uint64_t b, uint64_t d, uint64_t workspace)
{
	static const uint64_t zero[2];
	return f->matmul(handle, plan->desc, p->one, (void *)(uintptr_t)a, plan->a, (void *)(uintptr_t)b, plan->b, zero,
	                 (void *)(uintptr_t)d, plan->d, (void *)(uintptr_t)d, plan->d, &plan->choice.algo,
	                 (void *)(uintptr_t)workspace, p->workspace, NULL);
}

void lt_release(const lt_functions *f, lt_plan *plan)
{
	if (plan->d)
		f->layout_destroy(plan->d);
	if (plan->b)
		f->layout_destroy(plan->b);
	if (plan->a)
		f->layout_destroy(plan->a);
	if (plan->desc)
		f->desc_destroy(plan->desc);
	memset(plan, 0, sizeof *plan);
}
