// Users who come and go: processes that become one of COUNT users, stay for a moment, and end. A user is made with the first process that
// becomes it and freed with the last, so each moment some come, some stay and some go. users COUNT WORKERS; ends by SIGTERM.
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile sig_atomic_t ended;

static void end(int signal)
{
	(void)signal;
	ended = 1;
}

static void work(unsigned int seed, int count)
{
	while (!ended) {
		pid_t child = fork();

		if (child < 0) {
			usleep(1000);
			continue;
		}
		if (child == 0) {
			uid_t user = 2000 + rand_r(&seed) % count;

			if (setuid(user) != 0)
				_exit(1);
			usleep(rand_r(&seed) % 20000);
			_exit(0);
		}
		rand_r(&seed);
		waitpid(child, NULL, 0);
	}
}

int main(int argc, char **argv)
{
	int count = argc > 1 ? atoi(argv[1]) : 40;
	int workers = argc > 2 ? atoi(argv[2]) : 4;

	signal(SIGTERM, end);
	pid_t pids[64];

	if (workers > 64)
		workers = 64;
	for (int i = 1; i < workers; i++) {
		pids[i] = fork();
		if (pids[i] == 0) {
			work((unsigned int)i * 7919, count);
			return 0;
		}
	}
	work(1, count);
	for (int i = 1; i < workers; i++)
		if (pids[i] > 0)
			kill(pids[i], SIGTERM);
	while (wait(NULL) > 0)
		;
	return 0;
}
