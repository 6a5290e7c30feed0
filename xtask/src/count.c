/* A TCG plugin for QEMU that counts the instructions that firmware executes, and notes the count
 * each time it passes a mark. Debian ships no header for plugins, so the few functions used are
 * declared here as QEMU's documentation of the plugin interface gives them.
 *
 * Arguments: out=FILE, and mark=NAME:HEXADDRESS for each mark. Each passage of a mark is a line
 * "NAME COUNT" in FILE; the last line is "total COUNT". */
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef uint64_t qemu_plugin_id_t;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
typedef void (*tb_callback)(qemu_plugin_id_t, struct qemu_plugin_tb *);
typedef void (*exec_callback)(unsigned int, void *);
typedef void (*exit_callback)(qemu_plugin_id_t, void *);

extern void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t, tb_callback);
extern void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *, exec_callback, int, void *);
extern void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *, exec_callback, int, void *);
extern void qemu_plugin_register_atexit_cb(qemu_plugin_id_t, exit_callback, void *);
extern size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *);
extern struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *, size_t);
extern uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *);

__attribute__((visibility("default"))) int qemu_plugin_version = PLUGIN_VERSION;

static struct { const char *name; uint64_t address; } marks[64];
static size_t mark_count;
static uint64_t total;
static FILE *out;

static void on_block(unsigned int cpu, void *length) {
    (void)cpu;
    total += (uintptr_t)length;
}

static void on_mark(unsigned int cpu, void *name) {
    (void)cpu;
    fprintf(out, "%s %" PRIu64 "\n", (const char *)name, total);
}

static void on_translate(qemu_plugin_id_t id, struct qemu_plugin_tb *tb) {
    (void)id;
    size_t length = qemu_plugin_tb_n_insns(tb);
    qemu_plugin_register_vcpu_tb_exec_cb(tb, on_block, 0, (void *)(uintptr_t)length);
    for (size_t i = 0; i < length; i++) {
        struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
        uint64_t address = qemu_plugin_insn_vaddr(insn);
        for (size_t m = 0; m < mark_count; m++)
            if (marks[m].address == address)
                qemu_plugin_register_vcpu_insn_exec_cb(insn, on_mark, 0, (void *)marks[m].name);
    }
}

static void at_end(qemu_plugin_id_t id, void *unused) {
    (void)id;
    (void)unused;
    fprintf(out, "total %" PRIu64 "\n", total);
    fclose(out);
}

__attribute__((visibility("default")))
int qemu_plugin_install(qemu_plugin_id_t id, const void *info, int argc, char **argv) {
    (void)info;
    for (int i = 0; i < argc; i++) {
        char *argument = strdup(argv[i]);
        char *colon = strrchr(argument, ':');
        if (strncmp(argument, "out=", 4) == 0) {
            out = fopen(argument + 4, "w");
        } else if (strncmp(argument, "mark=", 5) == 0 && colon && mark_count < 64) {
            *colon = 0;
            marks[mark_count].name = argument + 5;
            marks[mark_count++].address = strtoull(colon + 1, NULL, 16);
        } else {
            fprintf(stderr, "count: unknown argument %s\n", argv[i]);
            return 1;
        }
    }
    if (!out) {
        fprintf(stderr, "count: no out=FILE, or it cannot be written\n");
        return 1;
    }
    qemu_plugin_register_vcpu_tb_trans_cb(id, on_translate);
    qemu_plugin_register_atexit_cb(id, at_end, NULL);
    return 0;
}
