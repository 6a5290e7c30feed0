/* libpq, for the bench. The statements and the checksum are those of bench/common. */

#include <arpa/inet.h>
#include <endian.h>
#include <libpq-fe.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SIMPLE "select 1"
#define ONE_PARAMETER "select $1::int4"
#define CREATE                                                          \
    "create temp table written (id int4, total int8, value float8, " \
    "taken_at timestamp, name text)"
#define INSERT "insert into written values ($1, $2, $3, $4, $5)"
#define COPY_IN "copy written from stdin with (format binary)"
#define WRITTEN                                           \
    "select (count(*) + sum(id + total + value::int8) " \
    "+ sum(hashtext(taken_at || name)))::text from written"
#define BLOB "select data from blob"
#define ROWS "select id, total, value, taken_at, name from reading limit %d"
#define COLUMNS 1024
#define BATCH 100
#define NAME "reading-000000000001"

enum { INT8 = 20, INT4 = 23, TEXT = 25, FLOAT8 = 701, TIMESTAMP = 1114 };
static const Oid TYPES[5] = {INT4, INT8, FLOAT8, TIMESTAMP, TEXT};
static const int BINARY[5] = {1, 1, 1, 1, 1};

static uint64_t sum;

static void die(PGconn *conn, const char *what)
{
    fprintf(stderr, "%s: %s\n", what, PQerrorMessage(conn));
    exit(1);
}

static PGconn *login(const char *port, const char *user)
{
    char conninfo[200];
    snprintf(conninfo, sizeof conninfo,
             "host=127.0.0.1 port=%s dbname=test user=%s password=%s_pw sslmode=disable "
             "gssencmode=disable",
             port, user, user);
    PGconn *conn = PQconnectdb(conninfo);
    if (PQstatus(conn) != CONNECTION_OK)
        die(conn, "login");
    return conn;
}

static PGresult *check(PGconn *conn, PGresult *result)
{
    ExecStatusType status = PQresultStatus(result);
    if (status == PGRES_FATAL_ERROR || status == PGRES_BAD_RESPONSE || result == NULL)
        die(conn, "statement");
    return result;
}

static void discard(PGconn *conn, PGresult *result)
{
    PQclear(check(conn, result));
}

static int32_t int4(const PGresult *result, int row, int column)
{
    uint32_t bits;
    memcpy(&bits, PQgetvalue(result, row, column), 4);
    return (int32_t)ntohl(bits);
}

static int64_t int8(const PGresult *result, int row, int column)
{
    uint64_t bits;
    memcpy(&bits, PQgetvalue(result, row, column), 8);
    return (int64_t)be64toh(bits);
}

static void add_row(int32_t id, int64_t total, double value, int64_t at, const char *name, int len)
{
    uint64_t bits;
    memcpy(&bits, &value, 8);
    sum += (uint64_t)(int64_t)id + (uint64_t)total + bits + (uint64_t)at;
    sum += (uint64_t)len + (len > 0 ? (unsigned char)name[len - 1] : 0);
}

static void binary_row(const PGresult *result)
{
    uint64_t bits = (uint64_t)int8(result, 0, 2);
    double value;
    memcpy(&value, &bits, 8);
    add_row(int4(result, 0, 0), int8(result, 0, 1), value, int8(result, 0, 3),
            PQgetvalue(result, 0, 4), PQgetlength(result, 0, 4));
}

static int64_t two(const char *digits)
{
    return (digits[0] - '0') * 10 + (digits[1] - '0');
}

/* YYYY-MM-DD HH:MM:SS in microseconds since 2000-01-01. */
static int64_t timestamp(const char *text)
{
    int64_t year = two(text) * 100 + two(text + 2), month = two(text + 5), day = two(text + 8);
    int64_t y = month > 2 ? year - 2000 : year - 2001;
    int64_t m = month > 2 ? month - 3 : month + 9;
    int64_t days = y * 365 + y / 4 - y / 100 + y / 400 + (m * 153 + 2) / 5 + day - 1 + 60;
    return (((days * 24 + two(text + 11)) * 60 + two(text + 14)) * 60 + two(text + 17)) * 1000000;
}

static void text_row(const PGresult *result)
{
    add_row((int32_t)strtol(PQgetvalue(result, 0, 0), NULL, 10),
            strtoll(PQgetvalue(result, 0, 1), NULL, 10), strtod(PQgetvalue(result, 0, 2), NULL),
            timestamp(PQgetvalue(result, 0, 3)), PQgetvalue(result, 0, 4),
            PQgetlength(result, 0, 4));
}

static void stream(PGconn *conn, void (*row)(const PGresult *))
{
    PGresult *result;
    PQsetSingleRowMode(conn);
    while ((result = PQgetResult(conn)) != NULL) {
        if (PQresultStatus(check(conn, result)) == PGRES_SINGLE_TUPLE)
            row(result);
        PQclear(result);
    }
}

/* A row as parameters or as fields of a COPY. */
struct row {
    uint32_t id;
    uint64_t total, value, at;
    const char *name;
    int name_length;
    const char *values[5];
    int lengths[5];
};

/* The compiler does not know the name: names come from elsewhere in programs. */
static const char *volatile name = NAME;
static volatile int name_length = sizeof NAME - 1;

static void make_row(struct row *row, int i)
{
    double value = i * 0.25;
    uint64_t bits;
    memcpy(&bits, &value, 8);
    row->id = htonl((uint32_t)i);
    row->total = htobe64((uint64_t)i * 1000003);
    row->value = htobe64(bits);
    row->at = htobe64((uint64_t)i * 1000000);
    row->name = name;
    row->name_length = name_length;
    row->values[4] = row->name;
    row->lengths[4] = row->name_length;
}

static void bind_row(struct row *row)
{
    const char *values[5] = {(char *)&row->id, (char *)&row->total, (char *)&row->value,
                             (char *)&row->at, NULL};
    const int lengths[5] = {4, 8, 8, 8, 0};
    memcpy(row->values, values, sizeof values);
    memcpy(row->lengths, lengths, sizeof lengths);
}

static void written(PGconn *conn)
{
    PGresult *result = check(conn, PQexec(conn, WRITTEN));
    sum += (uint64_t)strtoll(PQgetvalue(result, 0, 0), NULL, 10);
    PQclear(result);
}

static void inserting(PGconn *conn)
{
    discard(conn, PQexec(conn, CREATE));
    discard(conn, PQprepare(conn, "s", INSERT, 5, TYPES));
}

static void insert(PGconn *conn, int n)
{
    struct row row;
    inserting(conn);
    bind_row(&row);
    for (int i = 0; i < n; i++) {
        make_row(&row, i);
        discard(conn, PQexecPrepared(conn, "s", 5, row.values, row.lengths, BINARY, 1));
    }
    written(conn);
}

static void pipeline(PGconn *conn, int n)
{
    struct row row;
    inserting(conn);
    bind_row(&row);
    if (!PQenterPipelineMode(conn))
        die(conn, "pipeline");
    for (int batch = 0; batch < n / BATCH; batch++) {
        for (int i = batch * BATCH; i < (batch + 1) * BATCH; i++) {
            make_row(&row, i);
            if (!PQsendQueryPrepared(conn, "s", 5, row.values, row.lengths, BINARY, 1))
                die(conn, "send");
        }
        if (!PQpipelineSync(conn))
            die(conn, "sync");
        for (int i = 0; i < BATCH; i++) {
            discard(conn, PQgetResult(conn));
            PQgetResult(conn); /* NULL after each statement */
        }
        discard(conn, PQgetResult(conn)); /* the Sync's */
    }
    if (!PQexitPipelineMode(conn))
        die(conn, "pipeline");
    written(conn);
}

static char *put(char *at, const void *value, uint32_t length)
{
    uint32_t prefix = htonl(length);
    memcpy(at, &prefix, 4);
    memcpy(at + 4, value, length);
    return at + 4 + length;
}

static void copy_in(PGconn *conn, int n)
{
    static const char header[19] = "PGCOPY\n\377\r\n\0";
    struct row row;
    char buf[100];
    discard(conn, PQexec(conn, CREATE));
    discard(conn, PQexec(conn, COPY_IN));
    PQputCopyData(conn, header, sizeof header);
    for (int i = 0; i < n; i++) {
        make_row(&row, i);
        memcpy(buf, "\0\5", 2);
        char *at = put(buf + 2, &row.id, 4);
        at = put(at, &row.total, 8);
        at = put(at, &row.value, 8);
        at = put(at, &row.at, 8);
        at = put(at, row.name, (uint32_t)row.name_length);
        if (PQputCopyData(conn, buf, (int)(at - buf)) != 1)
            die(conn, "copy");
    }
    PQputCopyData(conn, "\377\377", 2);
    if (PQputCopyEnd(conn, NULL) != 1)
        die(conn, "copy");
    discard(conn, PQgetResult(conn));
    PQgetResult(conn); /* NULL */
    written(conn);
}

static void copy_out(PGconn *conn, int n)
{
    char sql[200], *data;
    int length;
    snprintf(sql, sizeof sql, "copy (" ROWS ") to stdout with (format binary)", n);
    discard(conn, PQexec(conn, sql));
    while ((length = PQgetCopyData(conn, &data, 0)) > 0) {
        sum += (uint64_t)length;
        PQfreemem(data);
    }
    if (length != -1)
        die(conn, "copy");
    discard(conn, PQgetResult(conn));
}

static void add_int4(PGconn *conn, PGresult *result)
{
    sum += (uint64_t)(int64_t)int4(check(conn, result), 0, 0);
    PQclear(result);
}

static void prepared(PGconn *conn, int n)
{
    discard(conn, PQprepare(conn, "s", SIMPLE, 0, NULL));
    for (int i = 0; i < n; i++)
        add_int4(conn, PQexecPrepared(conn, "s", 0, NULL, NULL, NULL, 1));
}

static void adhoc(PGconn *conn, int n)
{
    for (int i = 0; i < n; i++) {
        uint32_t value = htonl((uint32_t)i);
        const char *values[1] = {(char *)&value};
        const int lengths[1] = {4};
        add_int4(conn, PQexecParams(conn, ONE_PARAMETER, 1, TYPES, values, lengths, BINARY, 1));
    }
}

static void simple(PGconn *conn, int n)
{
    for (int i = 0; i < n; i++) {
        PGresult *result = check(conn, PQexec(conn, SIMPLE));
        sum += (uint64_t)strtol(PQgetvalue(result, 0, 0), NULL, 10);
        PQclear(result);
    }
}

static void read_10mb(PGconn *conn, int n)
{
    discard(conn, PQprepare(conn, "s", BLOB, 0, NULL));
    for (int i = 0; i < n; i++) {
        PGresult *result = check(conn, PQexecPrepared(conn, "s", 0, NULL, NULL, NULL, 1));
        const char *data = PQgetvalue(result, 0, 0);
        int length = PQgetlength(result, 0, 0);
        for (int at = 0; at < length; at += 65536)
            sum += (unsigned char)data[at];
        sum += (uint64_t)length;
        PQclear(result);
    }
}

static void get(PGconn *conn, int n)
{
    char *sql = malloc(COLUMNS * 8 + 100), *at = sql + sprintf(sql, "select ");
    for (int column = 0; column < COLUMNS; column++)
        at += sprintf(at, "%sg+%d", column > 0 ? "," : "", column);
    sprintf(at, " from generate_series(1, %d) g", n);
    PGresult *result = check(conn, PQexecParams(conn, sql, 0, NULL, NULL, NULL, NULL, 1));
    for (int row = 0; row < PQntuples(result); row++)
        for (int column = 0; column < COLUMNS; column++)
            sum += (uint64_t)(int64_t)int4(result, row, column);
    PQclear(result);
    free(sql);
}

static void rows(PGconn *conn, int n, int binary)
{
    char sql[200];
    snprintf(sql, sizeof sql, ROWS, n);
    if (!(binary ? PQsendQueryParams(conn, sql, 0, NULL, NULL, NULL, NULL, 1)
                 : PQsendQuery(conn, sql)))
        die(conn, "send");
    stream(conn, binary ? binary_row : text_row);
}

int main(int count, char **words)
{
    if (count != 4) {
        fprintf(stderr, "PORT WORK N\n");
        return 1;
    }
    const char *port = words[1], *work = words[2];
    int n = atoi(words[3]);
#define IS(name) (strcmp(work, name) == 0)
    if (IS("connect") || IS("login_scram")) {
        for (int i = 0; i < n; i++) {
            PQfinish(login(port, IS("connect") ? "trust_user" : "scram_user"));
            sum += 1;
        }
    } else {
        PGconn *conn = login(port, "trust_user");
        if (IS("simple"))
            simple(conn, n);
        else if (IS("prepared"))
            prepared(conn, n);
        else if (IS("adhoc"))
            adhoc(conn, n);
        else if (IS("row_binary") || IS("row_text"))
            rows(conn, n, IS("row_binary"));
        else if (IS("copy_out"))
            copy_out(conn, n);
        else if (IS("insert"))
            insert(conn, n);
        else if (IS("execute_many") || IS("pipeline"))
            pipeline(conn, n);
        else if (IS("copy_in"))
            copy_in(conn, n);
        else if (IS("read_10mb"))
            read_10mb(conn, n);
        else if (IS("get"))
            get(conn, n);
        else
            die(conn, "unknown work");
        PQfinish(conn);
    }
    printf("checksum %016llx\n", (unsigned long long)sum);
    return 0;
}
