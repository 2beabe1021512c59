// The DOM runtime the compiled components import, with its one use of `innerHTML` made a named
// Trusted Types policy.
//
// Owns: turning a compiler-made template into nodes. Refuses to know: any text that came over the
// wire. Only build-time constants reach `template`; captured text is set as text nodes by Solid's
// `insert`, so the policy never sees it. The page may therefore run under
// `require-trusted-types-for 'script'`, and `trusted-types upriver-template` would suffice.

import { untrack } from "solid-js";

export * from "solid-js/web";

interface TemplatePolicy {
  createHTML(html: string): string;
}

interface PolicyFactory {
  createPolicy(name: string, rules: TemplatePolicy): TemplatePolicy;
}

const factory = (globalThis as { trustedTypes?: PolicyFactory }).trustedTypes;
const asIs: TemplatePolicy = { createHTML: (html) => html };
const policy = factory ? factory.createPolicy("upriver-template", asIs) : asIs;

/** Makes a function that clones the nodes of `html`, a constant the compiler wrote. */
export function template(html: string, isImportNode?: boolean, isSvg?: boolean): () => Node {
  let node: Node | undefined;
  const made = (): Node => {
    if (!node) {
      const holder = document.createElement("template");
      holder.innerHTML = policy.createHTML(html);
      const first = holder.content.firstChild as Node;
      // A fragment of SVG is compiled inside an <svg>, so that the parser picks the namespace.
      node = isSvg ? (first.firstChild as Node) : first;
    }
    return node;
  };
  return isImportNode
    ? () => untrack(() => document.importNode(made(), true))
    : () => made().cloneNode(true);
}
