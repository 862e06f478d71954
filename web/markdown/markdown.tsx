import { isValidElement, memo, type ComponentProps, type ReactNode } from 'react'
import { Streamdown, type Components, type ExtraProps } from 'streamdown'
import { CodeBlock } from './code-block.tsx'

/** Markdown as it grows: what is complete is not rendered again, what is not complete yet is shown as what it will be. */
export const Markdown = memo(function Markdown({ text, growing }: { readonly text: string; readonly growing: boolean }) {
  return (
    <Streamdown className={growing ? 'markdown growing' : 'markdown'} components={components} controls={false} linkSafety={noLinkDialog} isAnimating={growing} mode="streaming">
      {text}
    </Streamdown>
  )
})

const noLinkDialog = { enabled: false }

type Props<Tag extends keyof React.JSX.IntrinsicElements> = ComponentProps<Tag> & ExtraProps

/** The element and what it means, without the classes that Streamdown would put on it. */
function plain<Tag extends keyof React.JSX.IntrinsicElements>(Tag: Tag, kept: readonly string[] = []) {
  return function PlainElement(props: Props<Tag>) {
    const Element = Tag as 'p'
    const given = props as Record<string, unknown>
    return <Element {...Object.fromEntries(kept.flatMap((name) => (given[name] === undefined ? [] : [[name, given[name]]])))}>{given['children'] as ReactNode}</Element>
  }
}

const noChildren = (Tag: 'hr') =>
  function PlainElement() {
    return <Tag />
  }

const components: Components = {
  p: plain('p', ['dir']),
  // The page has its own first heading, so those of a reply begin below it.
  h1: plain('h2', ['dir']),
  h2: plain('h3', ['dir']),
  h3: plain('h4', ['dir']),
  h4: plain('h5', ['dir']),
  h5: plain('h6', ['dir']),
  h6: plain('h6', ['dir']),
  ul: plain('ul'),
  ol: plain('ol', ['start']),
  li: plain('li', ['className']),
  strong: plain('strong'),
  blockquote: plain('blockquote', ['dir']),
  hr: noChildren('hr'),
  thead: plain('thead'),
  tbody: plain('tbody'),
  tr: plain('tr'),
  th: plain('th', ['style', 'scope']),
  td: plain('td', ['style']),
  sup: plain('sup'),
  sub: plain('sub'),
  section: plain('section'),
  inlineCode: plain('code') as NonNullable<Components['inlineCode']>,
  table: function Table({ children }: Props<'table'>) {
    return (
      <div className="table-scroll" tabIndex={0} role="group" aria-label="Table">
        <table>{children}</table>
      </div>
    )
  },
  a: function Link({ href, children }: Props<'a'>) {
    // Half a link while it is on its way, or one that was refused as dangerous; and the page's own hash names conversations.
    if (href === undefined || href.startsWith('streamdown:') || href.startsWith('#')) return <span>{children}</span>
    return (
      <a href={href} target="_blank" rel="noopener noreferrer">
        {children}
      </a>
    )
  },
  // An image would tell its server that, and what, somebody reads here. It is fetched by whoever follows the link.
  img: function ImageLink({ src, alt }: Props<'img'>) {
    if (typeof src !== 'string' || !/^https?:/.test(src)) return <span>{alt}</span>
    return (
      <a href={src} target="_blank" rel="noopener noreferrer">
        {alt === undefined || alt === '' ? 'Image' : alt}
      </a>
    )
  },
  code: function Fence({ className, children }: Props<'code'>) {
    return <CodeBlock fence={/language-(\S+)/.exec(className ?? '')?.[1] ?? ''} code={textOf(children)} />
  },
}

function textOf(children: ReactNode): string {
  if (typeof children === 'string') return children
  if (typeof children === 'number') return String(children)
  if (Array.isArray(children)) return children.map((child) => textOf(child as ReactNode)).join('')
  if (isValidElement<{ children?: ReactNode }>(children)) return textOf(children.props.children)
  return ''
}
