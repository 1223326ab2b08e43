// SPDX-License-Identifier: MIT
/*
 * Programs that sleep in the kernel in ways that hold a livepatch transition back, touchy about being woken.
 *
 *   animals set LABEL FOLDER SECONDS NAME...   each NAME as a process NAME.LABEL; FOLDER/NAME.LABEL.pid when it is about to sleep.
 *                                              SIGUSR1 feeds them; what each saw is in FOLDER/NAME.LABEL then:
 *                                              CALL RETURNED ERRNO BEGAN ENDED (seconds of CLOCK_MONOTONIC), a line for each call.
 *   animals herd THREADS                       so many threads that sleep in one read
 *   animals storm                              processes that come and go, until killed
 *   animals edr BTF_ID                         a BPF program at the exit of a function (pipe_write), and a writer that sleeps in it
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <linux/bpf.h>
#include <linux/futex.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const char *folder, *label;
static double patience;
static char name[64];

static void die(const char *what)
{
	fprintf(stderr, "%s: %s: %s\n", name, what, strerror(errno));
	_exit(1);
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

static struct timespec in(double seconds)
{
	return (struct timespec){ (time_t)seconds, (long)((seconds - (time_t)seconds) * 1e9) };
}

static void put(const char *end, const char *text)
{
	char path[256], part[264];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s%s", folder, name, end);
	snprintf(part, sizeof(part), "%s+", path);
	file = fopen(part, "w");
	if (!file)
		die(part);
	fputs(text, file);
	fclose(file);
	rename(part, path);
}

static char said[512];

/* Says that it is about to sleep. */
static double begin(void)
{
	char text[32];

	snprintf(text, sizeof(text), "%d\n", getpid());
	put(".pid", text);
	return now();
}

static void saw(const char *call, long returned, double began)
{
	static pthread_mutex_t one = PTHREAD_MUTEX_INITIALIZER;
	int error = returned < 0 ? errno : 0;
	size_t used;

	pthread_mutex_lock(&one);
	used = strlen(said);
	snprintf(said + used, sizeof(said) - used, "%s %ld %d %.3f %.3f\n", call, returned, error, began, now());
	pthread_mutex_unlock(&one);
}

static void nothing(int signal)
{
	(void)signal;
}

/* What feeds them: made before the fork, so that the keeper can use the other end. */
struct larder {
	int pipe[2], other[2], pair[2], listener, port, terminal, line, semaphore;
};

static void fill(struct larder *l)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	socklen_t size = sizeof(address);
	int unlock = 0, number;
	char path[32];

	if (pipe(l->pipe) || pipe(l->other) || socketpair(AF_UNIX, SOCK_STREAM, 0, l->pair))
		die("pipe");
	l->listener = socket(AF_INET, SOCK_STREAM, 0);
	if (bind(l->listener, (struct sockaddr *)&address, size) || listen(l->listener, 1) ||
	    getsockname(l->listener, (struct sockaddr *)&address, &size))
		die("listen");
	l->port = address.sin_port;
	l->terminal = open("/dev/ptmx", O_RDWR | O_NOCTTY);
	if (ioctl(l->terminal, TIOCSPTLCK, &unlock) || ioctl(l->terminal, TIOCGPTN, &number))
		die("ptmx");
	snprintf(path, sizeof(path), "/dev/pts/%d", number);
	l->line = open(path, O_RDWR | O_NOCTTY);
	l->semaphore = semget(IPC_PRIVATE, 1, 0600);
	if (l->line < 0 || l->semaphore < 0)
		die(path);
}

static void feed(const struct larder *l)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = l->port, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	struct sembuf up = { 0, 1, 0 };
	int client = socket(AF_INET, SOCK_STREAM, 0);

	connect(client, (struct sockaddr *)&address, sizeof(address));
	if (write(l->pipe[1], "food", 4) < 0 || write(l->other[1], "food", 4) < 0 || write(l->terminal, "food\n", 5) < 0)
		die("feed");
	send(l->pair[1], "food", 4, MSG_NOSIGNAL);
	semop(l->semaphore, &up, 1);
	close(client);
}

static void eat(int descriptor)
{
	char bite[16];
	double began = begin();

	saw("read", read(descriptor, bite, sizeof(bite)), began);
}

static void do_pipe(const struct larder *l)
{
	eat(l->pipe[0]);
}

static void do_tty(const struct larder *l)
{
	eat(l->line);
}

static void do_nanosleep(const struct larder *l)
{
	struct timespec t = in(patience), rest = { 0, 0 };
	double began = begin();

	saw("nanosleep", syscall(SYS_nanosleep, &t, &rest), began);
}

static void do_clock(const struct larder *l)
{
	/* what begin() writes takes its time, too */
	double began = begin();
	struct timespec t = in(began + patience);

	saw("clock_nanosleep", syscall(SYS_clock_nanosleep, CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL), began);
}

static void do_poll(const struct larder *l)
{
	struct pollfd idle = { l->pair[1], POLLPRI, 0 };
	double began = begin();

	saw("poll", syscall(SYS_poll, &idle, 1, (int)(patience * 1000)), began);
}

static void do_ppoll(const struct larder *l)
{
	struct pollfd idle = { l->pair[1], POLLPRI, 0 };
	struct timespec t = in(patience);
	double began = begin();

	saw("ppoll", syscall(SYS_ppoll, &idle, 1, &t, NULL, 8), began);
}

static void do_epoll(const struct larder *l)
{
	struct epoll_event event;
	int set = epoll_create1(0);
	double began = begin();

	saw("epoll_wait", syscall(SYS_epoll_wait, set, &event, 1, (int)(patience * 1000)), began);
}

static void do_futex(const struct larder *l)
{
	static int word;
	struct timespec t = in(patience);
	double began = begin();

	saw("futex", syscall(SYS_futex, &word, FUTEX_WAIT, 0, &t, NULL, 0), began);
}

static void do_lock(const struct larder *l)
{
	static int word;
	/* what begin() writes takes its time, too */
	double began = begin();
	struct timespec t = in(began + patience);

	saw("futex", syscall(SYS_futex, &word, FUTEX_WAIT_BITSET, 0, &t, NULL, FUTEX_BITSET_MATCH_ANY), began);
}

static void do_accept(const struct larder *l)
{
	double began = begin();

	saw("accept", accept(l->listener, NULL, NULL), began);
}

static void set_timeout(int socket)
{
	struct timeval t = { (time_t)patience, 0 };

	if (setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t)))
		die("SO_RCVTIMEO");
}

static void do_acceptto(const struct larder *l)
{
	set_timeout(l->listener);
	do_accept(l);
}

static void do_recv(const struct larder *l)
{
	char bite[16];
	double began = begin();

	saw("recv", recv(l->pair[0], bite, sizeof(bite), 0), began);
}

static void do_recvto(const struct larder *l)
{
	set_timeout(l->pair[0]);
	do_recv(l);
}

static void do_readsock(const struct larder *l)
{
	eat(l->pair[0]);
}

static void do_semop(const struct larder *l)
{
	struct sembuf down = { 0, -1, 0 };
	double began = begin();

	saw("semop", semop(l->semaphore, &down, 1), began);
}

static void do_aio(const struct larder *l)
{
	aio_context_t context = 0;
	struct timespec t = in(patience);
	struct io_event event;
	double began;

	if (syscall(SYS_io_setup, 4, &context))
		die("io_setup");
	began = begin();
	saw("io_getevents", syscall(SYS_io_getevents, context, 1, 1, &event, &t), began);
}

static void *second(void *larder)
{
	const struct larder *l = larder;
	char bite[16];
	double began = now();
	long got = read(l->other[0], bite, sizeof(bite));

	saw("read", got, began);
	return NULL;
}

static void do_threads(const struct larder *l)
{
	pthread_t thread;

	pthread_create(&thread, NULL, second, (void *)l);
	eat(l->pipe[0]);
	pthread_join(thread, NULL);
}

/* As a debugger that lets its program run: it would see a stop. */
static void do_traced(const struct larder *l)
{
	int status, stops = 0;
	pid_t child = fork();

	if (child == 0) {
		eat(l->pipe[0]);
		put("", said);
		_exit(0);
	}
	prctl(PR_SET_NAME, "zoo_gdb");
	if (ptrace(PTRACE_SEIZE, child, 0, 0))
		die("PTRACE_SEIZE");
	while (waitpid(child, &status, __WALL) == child && WIFSTOPPED(status)) {
		stops++;
		ptrace(PTRACE_CONT, child, 0, 0);
	}
	strcat(name, ".gdb");
	snprintf(said, sizeof(said), "stops %d 0 0 0\n", stops);
}

/* In a debugger's hands, before it sleeps. */
static void do_held(const struct larder *l)
{
	int status;
	pid_t child = fork();

	if (child == 0) {
		pause();
		_exit(0);
	}
	prctl(PR_SET_NAME, "zoo_gdb");
	if (ptrace(PTRACE_SEIZE, child, 0, 0) || ptrace(PTRACE_INTERRUPT, child, 0, 0) || waitpid(child, &status, __WALL) != child)
		die("PTRACE_SEIZE");
	begin();
	while (getppid() != 1)
		pause();
}

static void do_stopped(const struct larder *l)
{
	double began = begin();

	saw("stop", raise(SIGSTOP), began);
}

static void do_vfork(const struct larder *l)
{
	double began = begin();
	pid_t child = vfork();

	if (child == 0) {
		prctl(PR_SET_NAME, "zoo_child");
		syscall(SYS_read, l->other[0], (char[16]){ 0 }, 16);
		_exit(0);
	}
	prctl(PR_SET_NAME, name);
	saw("vfork", child > 0, began);
}

static const struct {
	const char *name;
	void (*live)(const struct larder *);
} kinds[] = {
	{ "pipe", do_pipe },       { "tty", do_tty },           { "sleep", do_nanosleep }, { "clock", do_clock },
	{ "poll", do_poll },       { "ppoll", do_ppoll },       { "epoll", do_epoll },     { "futex", do_futex },
	{ "lock", do_lock },       { "accept", do_accept },     { "acceptto", do_acceptto }, { "recv", do_recv },
	{ "recvto", do_recvto },   { "readsock", do_readsock }, { "semop", do_semop },     { "aio", do_aio },
	{ "threads", do_threads }, { "traced", do_traced },     { "held", do_held },       { "stopped", do_stopped },
	{ "vfork", do_vfork },
};

static void live(const char *kind, const struct larder *l)
{
	struct sigaction action = { .sa_handler = nothing };

	/* one that could interrupt, without SA_RESTART, and never comes */
	sigaction(SIGALRM, &action, NULL);
	snprintf(name, sizeof(name), "%s.%s", kind, label);
	prctl(PR_SET_NAME, name);
	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
		if (!strcmp(kinds[i].name, kind)) {
			kinds[i].live(l);
			put("", said);
			_exit(0);
		}
	die("no such animal");
}

static void keep(int count, char **names)
{
	struct larder larders[32];
	sigset_t set;
	int signal;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	for (int i = 0; i < count; i++) {
		fill(&larders[i]);
		if (fork() == 0)
			live(names[i], &larders[i]);
	}
	snprintf(name, sizeof(name), "keeper.%s", label);
	prctl(PR_SET_NAME, name);
	put(".pid", "");
	sigwait(&set, &signal);
	for (int i = 0; i < count; i++)
		feed(&larders[i]);
	while (wait(NULL) > 0)
		;
	put("", "");
}

static int trough[2];

static void *graze(void *unused)
{
	char bite;

	while (read(trough[0], &bite, 1) < 0)
		;
	return unused;
}

static void herd(int count)
{
	pthread_attr_t small;
	pthread_t thread;

	prctl(PR_SET_NAME, "herd");
	if (pipe(trough))
		die("pipe");
	pthread_attr_init(&small);
	pthread_attr_setstacksize(&small, 32768);
	for (int i = 1; i < count; i++)
		if (pthread_create(&thread, &small, graze, NULL))
			die("pthread_create");
	graze(NULL);
}

static void storm(void)
{
	prctl(PR_SET_NAME, "storm");
	for (int alive = 0;; alive++) {
		if (fork() == 0) {
			usleep(rand() % 20000);
			_exit(0);
		}
		while (alive > 30 && wait(NULL) > 0)
			alive--;
	}
}

static long bpf(int command, union bpf_attr *attr)
{
	return syscall(SYS_bpf, command, attr, sizeof(*attr));
}

static void edr(int function)
{
	struct bpf_insn body[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0 },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	union bpf_attr load = {
		.prog_type = BPF_PROG_TYPE_TRACING,
		.expected_attach_type = BPF_TRACE_FEXIT,
		.attach_btf_id = function,
		.insns = (uintptr_t)body,
		.insn_cnt = 2,
		.license = (uintptr_t)"Dual MIT/GPL",
		.prog_name = "zoo_watch",
	};
	union bpf_attr attach = { .raw_tracepoint = { 0 } };
	int pipes[2], link;
	char full[65536] = { 0 };

	snprintf(name, sizeof(name), "zoo_edr");
	prctl(PR_SET_NAME, name);
	attach.raw_tracepoint.prog_fd = bpf(BPF_PROG_LOAD, &load);
	if ((int)attach.raw_tracepoint.prog_fd < 0)
		die("BPF_PROG_LOAD");
	link = bpf(BPF_RAW_TRACEPOINT_OPEN, &attach);
	if (link < 0 || pipe(pipes))
		die("BPF_RAW_TRACEPOINT_OPEN");
	if (fork() == 0) {
		prctl(PR_SET_NAME, "zoo_writer");
		close(link);
		close(attach.raw_tracepoint.prog_fd);
		for (;;)
			if (write(pipes[1], full, sizeof(full)) < 0)
				_exit(1);
	}
	for (;;)
		pause();
}

int main(int count, char **words)
{
	snprintf(name, sizeof(name), "animals");
	if (count > 5 && !strcmp(words[1], "set")) {
		label = words[2];
		folder = words[3];
		patience = atof(words[4]);
		keep(count - 5, words + 5);
	} else if (count == 3 && !strcmp(words[1], "herd")) {
		herd(atoi(words[2]));
	} else if (count == 2 && !strcmp(words[1], "storm")) {
		storm();
	} else if (count == 3 && !strcmp(words[1], "edr")) {
		edr(atoi(words[2]));
	} else {
		fprintf(stderr, "see the head of animals.c\n");
		return 2;
	}
	return 0;
}
