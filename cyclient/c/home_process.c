#include "home_process.h"

#include <stddef.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE_BYTES 4096

void ssa_home_process_init(ssa_home_process *home) {
    home->pid = (int)getpid();
    home->page = NULL;
#ifdef MADV_WIPEONFORK
    void *page = mmap(NULL, PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED)
        return;
    if (madvise(page, PAGE_BYTES, MADV_WIPEONFORK)) {
        munmap(page, PAGE_BYTES);
        return;
    }
    home->page = page;
    *home->page = 1;
#endif
}

void ssa_home_process_end(ssa_home_process *home) {
    if (home->page)
        munmap((void *)home->page, PAGE_BYTES);
    home->page = NULL;
}

int ssa_is_at_home(const ssa_home_process *home) {
    return home->page ? *home->page : home->pid == (int)getpid();
}
