/* What the static libcuda offers beside the driver's own functions (stub/open.c). */
#ifndef RF_OPEN_H
#define RF_OPEN_H
#include "cuda.h"

typedef enum { RF_LINKED, RF_OPTIONAL, RF_REQUIRED } rf_need;

/* One entry point: the symbol that the library exports, and where it is once the library is open. */
typedef struct {
	const char *symbol;
	rf_need need;
	void *address; /* NULL: not opened yet, or the library lacks it */
} rf_entry;

extern rf_entry rf_entries[];
extern const int rf_entry_count;

typedef enum {
	RF_OPENED,  /* cuInit was called; its answer is in *init */
	RF_DLOPEN,  /* the loader refused the library; its text is in error */
	RF_SYMBOLS, /* the library lacks a required symbol, named in error */
} rf_opening;

/* rf_cuda_open opens the driver library at path, looks all entry points up and calls cuInit.
 * Once it answered RF_OPENED it is not called again. It is for one thread at a time. */
rf_opening rf_cuda_open(const char *path, int *init, char *error, size_t size);

/* rf_absent is the CUresult of a call that leads nowhere: not initialized before the library is
 * open, not found (500) where the library lacks the symbol. */
CUresult rf_absent(void);

#endif
