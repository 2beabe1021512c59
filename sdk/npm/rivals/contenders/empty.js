// Nothing: what any module of its own costs a page.
