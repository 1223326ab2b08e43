struct quirk {
	const char *const *ids;
	int low, high;
};

int matches(const char *const *ids);

static const char *const known[] = { "LEN0017", "LEN0018", 0 };

/* two of these literals hold the same */
static const struct quirk quirks[] = {
	{ (const char *const[]){ "LEN2001", 0 }, 1, 2 },
	{ (const char *const[]){ "LEN2006", 0 }, 3, 4 },
	{ (const char *const[]){ "LEN2006", 0 }, 5, 6 },
	{ 0, 0, 0 },
};

int knows(void)
{
	return matches(known);
}

int quirk_of(void)
{
	int i;

	for (i = 0; quirks[i].ids; i++)
		if (matches(quirks[i].ids))
			return quirks[i].low + quirks[i].high;
	return 0;
}
