/* A plugin of qemu's user-mode emulation: counts the instructions of each thread, and writes the count at each mark.
 *
 * A mark is the system call 0x4c48, which no kernel has. Its first argument is the kind of the mark. For each mark the
 * plugin appends two 64-bit numbers to the file `out`: the kind, and the instructions of the thread so far.
 *
 * Debian's qemu 7.2 ships no qemu-plugin.h, so the functions of its API 1 that are used here are declared here
 * (https://www.qemu.org/docs/master/devel/tcg-plugins.html).
 */
#include <stdint.h>
#include <stdio.h>

typedef uint64_t plugin_id;
struct qemu_plugin_tb;
typedef void (*translated)(plugin_id, struct qemu_plugin_tb *);
typedef void (*called)(plugin_id, unsigned, int64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t,
                       uint64_t);
typedef void (*executed)(unsigned, void *);

extern void qemu_plugin_register_vcpu_tb_trans_cb(plugin_id, translated);
extern void qemu_plugin_register_vcpu_syscall_cb(plugin_id, called);
extern void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *, executed, int, void *);
extern size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *);

int qemu_plugin_version = 1;

#define MARK 0x4c48
#define THREADS 256

static uint64_t counts[THREADS];
static FILE *out;

static void run(unsigned thread, void *instructions) { counts[thread % THREADS] += (uintptr_t)instructions; }

static void translate(plugin_id id, struct qemu_plugin_tb *block) {
  qemu_plugin_register_vcpu_tb_exec_cb(block, run, 0, (void *)(uintptr_t)qemu_plugin_tb_n_insns(block));
}

static void call(plugin_id id, unsigned thread, int64_t number, uint64_t kind, uint64_t a2, uint64_t a3, uint64_t a4,
                 uint64_t a5, uint64_t a6, uint64_t a7, uint64_t a8) {
  if (number == MARK) {
    uint64_t mark[2] = {kind, counts[thread % THREADS]};
    fwrite(mark, sizeof mark, 1, out);
    fflush(out);
  }
}

int qemu_plugin_install(plugin_id id, const void *info, int argc, char **argv) {
  out = fopen(argv[0] + sizeof "out=" - 1, "wb");
  if (!out) return 1;
  qemu_plugin_register_vcpu_tb_trans_cb(id, translate);
  qemu_plugin_register_vcpu_syscall_cb(id, call);
  return 0;
}
