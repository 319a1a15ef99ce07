/* SPDX-License-Identifier: MIT */
#include "report/top.h"

static enum top_act show(struct top_choice *c, enum top_pane pane)
{
	c->pane = pane;
	c->first = 0;
	c->help = false;
	return ACT_REDRAW;
}

/* All namespaces, then each one. */
static enum top_act next_netns(struct top_choice *c, const struct snapshot *s)
{
	size_t i = 0;

	while (i < s->n_netns && s->netns[i].inode != c->netns)
		i++;
	if (c->netns == 0)
		c->netns = s->n_netns > 1 ? s->netns[0].inode : 0;
	else
		c->netns = i + 1 < s->n_netns ? s->netns[i + 1].inode : 0;
	c->first = 0;
	return ACT_REDRAW;
}

static enum top_act type(struct top_choice *c, int key)
{
	size_t len = strlen(c->filter);

	if (key == '\n' || key == '\r') {
		c->typing = false;
	} else if (key == 27) { /* Esc */
		c->typing = false;
		c->filter[0] = 0;
	} else if (key == TOP_ERASE || key == 127 || key == 8) {
		if (len)
			c->filter[len - 1] = 0;
	} else if (key >= ' ' && key < 127 && len + 1 < sizeof(c->filter)) {
		c->filter[len] = (char)key;
		c->filter[len + 1] = 0;
	} else {
		return ACT_NONE;
	}
	c->first = 0;
	return ACT_REDRAW;
}

static enum top_act scroll(struct top_choice *c, unsigned page, int key)
{
	size_t step = key == TOP_UP || key == TOP_DOWN ? 1 : page;

	if (key == TOP_HOME)
		c->first = 0;
	else if (key == TOP_DOWN || key == TOP_PAGE_DOWN)
		c->first += step;
	else
		c->first -= c->first < step ? c->first : step;
	return ACT_REDRAW;
}

static enum top_act change(struct top_choice *c, int key)
{
	switch (key) {
	case ' ':
	case 'p':
		c->paused = !c->paused;
		return c->paused ? ACT_REDRAW : ACT_LOOK;
	case 's':
		c->sort = c->sort == SORT_NAME ? SORT_PORTS : c->sort + 1;
		return ACT_REDRAW;
	case 'r':
		c->reverse = !c->reverse;
		return ACT_REDRAW;
	case '?':
	case 'h':
		c->help = !c->help;
		return ACT_REDRAW;
	case '/':
		c->typing = true;
		c->help = false;
		return ACT_REDRAW;
	case 27: /* Esc */
		c->filter[0] = 0;
		return show(c, c->pane);
	default:
		return ACT_NONE;
	}
}

enum top_act top_key(struct top_choice *c, const struct snapshot *s, unsigned page, int key)
{
	if (c->typing)
		return type(c, key);
	switch (key) {
	case 'q':
		return ACT_QUIT;
	case '\n':
	case '\r':
		return ACT_LOOK;
	case 'o':
		return show(c, PANE_ALL);
	case 'd':
		return show(c, PANE_DESTINATIONS);
	case 'l':
		return show(c, PANE_LISTENERS);
	case 'c':
		return show(c, PANE_CLOSERS);
	case 'f':
		return show(c, PANE_FINDINGS);
	case 'n':
		return next_netns(c, s);
	case TOP_UP:
	case TOP_DOWN:
	case TOP_PAGE_UP:
	case TOP_PAGE_DOWN:
	case TOP_HOME:
		return scroll(c, page, key);
	default:
		return change(c, key);
	}
}
