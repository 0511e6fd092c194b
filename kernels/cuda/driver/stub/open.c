/* The hand-written half of the static libcuda: nothing is opened before rf_cuda_open is asked to,
 * so that a program which links this starts on a node without a driver, and can say what is wrong
 * with the driver that it finds. */
#define _GNU_SOURCE
#include "cuda.h"
#include "open.h"
#include <dlfcn.h>
#include <stdio.h>

static void *library;

/* gorgonia.org/cu calls cuInit before main and ends the process where it fails. The real one is
 * called by rf_cuda_open instead, where its failure is a value and its hang has a deadline. */
CUresult cuInit(unsigned int Flags)
{
	(void)Flags;
	return CUDA_SUCCESS;
}

CUresult rf_absent(void)
{
	return library ? CUDA_ERROR_NOT_FOUND : CUDA_ERROR_NOT_INITIALIZED;
}

static rf_opening lookup(void *handle, char *error, size_t size)
{
	for (int i = 0; i < rf_entry_count; i++) {
		if (rf_entries[i].need == RF_REQUIRED && !dlsym(handle, rf_entries[i].symbol)) {
			snprintf(error, size, "%s", rf_entries[i].symbol);
			return RF_SYMBOLS;
		}
	}
	for (int i = 0; i < rf_entry_count; i++)
		rf_entries[i].address = dlsym(handle, rf_entries[i].symbol);
	return RF_OPENED;
}

rf_opening rf_cuda_open(const char *path, int *init, char *error, size_t size)
{
	/* RTLD_NOW: a symbol that the library itself misses is an error here, not an exit at a call.
	 * A library that is refused stays mapped: a driver's own threads may be in it already. */
	void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (!handle) {
		const char *text = dlerror();
		snprintf(error, size, "%s", text ? text : "no reason given");
		return RF_DLOPEN;
	}
	/* A toolkit's stub library may lack every symbol but this one; what it answers says it all. */
	CUresult (*real)(unsigned int) = (CUresult (*)(unsigned int))dlsym(handle, "cuInit");
	*init = real ? (int)real(0) : CUDA_ERROR_NOT_FOUND;
	if (*init == CUDA_ERROR_STUB_LIBRARY)
		return RF_OPENED;
	rf_opening found = lookup(handle, error, size);
	if (found == RF_OPENED)
		library = handle;
	return found;
}
