import 'graphiql/graphiql.css';
import { createGraphiQLFetcher } from '@graphiql/toolkit';
import { GraphiQL } from 'graphiql';
import { createElement } from 'react';
import { createRoot } from 'react-dom/client';
import { tabs } from './tour.js';

const socket = new URL('/graphql/ws', window.location.href);
socket.protocol = socket.protocol === 'https:' ? 'wss:' : 'ws:';

// What stands in the header editor goes into the request's headers and, for a subscription, into the
// connection_init payload: {"Authorization": "Bearer …"} works for both.
const fetcher = createGraphiQLFetcher({ url: '/graphql', subscriptionUrl: socket.href });

createRoot(document.getElementById('graphiql')).render(
  createElement(
    GraphiQL,
    { fetcher, defaultTabs: tabs, defaultEditorToolsVisibility: 'variables', inputValueDeprecation: true },
    createElement(GraphiQL.Logo, null, createElement('span', { className: 'wordmark' }, 'Syncline')),
  ),
);
