// SPDX-License-Identifier: MIT
/* rusage PROGRAM [WORD]...: the CPU and wall time that one run of a program takes. Its output goes to stderr. */
#include "tool.h"
#include <sys/wait.h>

int main(int count, char **words)
{
	long long start = now_ns();
	pid_t child;
	int status;

	if (count < 2) {
		fprintf(stderr, "usage: rusage PROGRAM [WORD]...\n");
		return 1;
	}
	child = fork();
	if (child < 0)
		fail("fork");
	if (!child) {
		dup2(STDERR_FILENO, STDOUT_FILENO);
		execvp(words[1], words + 1);
		fail(words[1]);
	}
	if (waitpid(child, &status, 0) < 0)
		fail("wait");
	if (!WIFEXITED(status) || WEXITSTATUS(status))
		return 1;
	printf("{\"cpu\":%.6f,\"wall\":%.6f}\n", cpu_seconds(RUSAGE_CHILDREN), (now_ns() - start) / 1e9);
	return 0;
}
